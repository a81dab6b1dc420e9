import type { Readable, Writable } from 'node:stream';

/** What the scorer and its decoder process send each other through pipes: a line of JSON and bytes, the lengths of both before them. */
export interface Message<Head> {
  head: Head;
  body: Uint8Array<ArrayBuffer>;
}

/** The answer to a picture's file: its pixels are the body. */
export type Answer = { ok: true; width: number; height: number } | { ok: false; message: string };

/** The first message of a decoder process. */
export const READY: Answer = { ok: true, width: 0, height: 0 };

const LENGTHS = 8;

export function send(stream: Writable, head: object, body: Uint8Array): void {
  const text = Buffer.from(JSON.stringify(head));
  const lengths = Buffer.alloc(LENGTHS);
  lengths.writeUInt32LE(text.length, 0);
  lengths.writeUInt32LE(body.length, 4);
  stream.write(Buffer.concat([lengths, text]));
  stream.write(body);
}

/** Calls `take` with each message that comes; each body has memory of its own. */
export function receive<Head>(stream: Readable, take: (message: Message<Head>) => void): void {
  let waiting: Buffer = Buffer.alloc(0);
  let head: Head | undefined;
  let body = new Uint8Array(0);
  let filled = 0;
  const readStart = (): boolean => {
    if (waiting.length < LENGTHS) return false;
    const text = waiting.readUInt32LE(0);
    if (waiting.length < LENGTHS + text) return false;
    head = JSON.parse(waiting.toString('utf8', LENGTHS, LENGTHS + text)) as Head;
    body = new Uint8Array(waiting.readUInt32LE(4));
    filled = 0;
    waiting = waiting.subarray(LENGTHS + text);
    return true;
  };
  stream.on('data', (chunk: Buffer) => {
    waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
    while (head !== undefined || readStart()) {
      const part = waiting.subarray(0, body.length - filled);
      body.set(part, filled);
      filled += part.length;
      waiting = waiting.subarray(part.length);
      if (filled < body.length || head === undefined) return;
      const message = { head, body };
      head = undefined;
      take(message);
    }
  });
}
