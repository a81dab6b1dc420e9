import { type ChildProcessByStdio, spawn } from 'node:child_process';
import os from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { JobError } from '../../job/failure.js';
import { type PictureKind, pictureKind } from '../../job/items/formats.js';
import { type Codec, type Picture, PIXEL_LIMIT } from './codec.js';
import { isFromOutside, PERHAPS_MEMORY } from '../../processes/child-process.js';
import { type Answer, type Message, receive, send } from './decoder-protocol.js';

export interface GuardedCodec extends Codec {
  /** Ends the processes; pictures that are still being read fail. */
  close(): void;
}

/** Each holds the picture library and one picture; more of them than this would wait for the inference anyway. */
const MOST_PROCESSES = 4;
/** A picture whose processes were killed from outside so often, one after another, is read no more: it may take all the memory there is. */
const MOST_KILLS = 3;
/** How long a picture may take: many times what it needs where other programs use the cores too. */
const SECONDS = 10;
const SECONDS_PER_MEGABYTE = 1;
const SECONDS_PER_MEGAPIXEL = 0.5;

/**
 * A codec that reads in processes of their own what may keep the picture library busy for ever or break it. JPEG and PNG are read here:
 * their metadata, scans and sizes are checked before the library sees them, and they and PPM, which needs no library, are nearly all that
 * comes.
 * @param program the compiled `decoder-process.js`.
 */
export function guardCodec(
  codec: Codec,
  program = fileURLToPath(new URL('./decoder-process.js', import.meta.url)),
): GuardedCodec {
  const free: DecoderProcess[] = [];
  const all = new Set<DecoderProcess>();
  const queue: ((decoder: DecoderProcess) => void)[] = [];
  const most = Math.min(MOST_PROCESSES, os.availableParallelism());

  let isClosed = false;

  const borrow = (): Promise<DecoderProcess> => {
    for (let idle = free.pop(); idle; idle = free.pop()) {
      if (!idle.ended) return Promise.resolve(idle);
      all.delete(idle);
    }
    if (all.size >= most) return new Promise((resolve) => queue.push(resolve));
    return Promise.resolve(start());
  };
  const start = () => {
    const decoder = new DecoderProcess(program, codec.name);
    all.add(decoder);
    return decoder;
  };
  const giveBack = (decoder: DecoderProcess) => {
    if (decoder.ended) all.delete(decoder);
    const next = queue.shift();
    if (next) next(decoder.ended ? start() : decoder);
    else if (!decoder.ended) free.push(decoder);
  };

  return {
    ...codec,
    decode: async (bytes, format) => {
      const kind = format === 'ppm' ? undefined : pictureKind(bytes);
      if (kind === undefined || kind === 'jpeg' || kind === 'png') return codec.decode(bytes, format);
      for (let tries = 1; ; tries += 1) {
        const decoder = await borrow();
        try {
          return await decoder.decode(bytes, kind);
        } catch (error) {
          if (!decoder.wasKilled || tries === MOST_KILLS || isClosed) throw error;
        } finally {
          giveBack(decoder);
        }
      }
    },
    close: () => {
      isClosed = true;
      for (const decoder of all) decoder.end();
    },
  };
}

class DecoderProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #take: (message: Message<Answer>) => void = () => {};
  #refuse: (failure: JobError) => void = () => {};
  /** Why the process is of no more use. */
  #failure: JobError | undefined;
  #isReady = false;
  #wasKilled = false;

  constructor(program: string, codec: Codec['name']) {
    // It gets none of the scorer's environment, which holds secrets.
    this.#child = spawn(process.execPath, [program, codec], { env: {}, stdio: ['pipe', 'pipe', 'ignore'] });
    receive<Answer>(this.#child.stdout, (message) => this.#take(message));
    // How it ended tells why.
    this.#child.stdin.on('error', () => {});
    this.#child.once('error', (cause) => this.#fail(notStarted(cause.message)));
    this.#child.once('exit', (code, signal) => {
      this.#wasKilled = !this.ended && isFromOutside(signal);
      if (!this.#isReady) this.#fail(notStarted(signal ?? `exit code ${code}`));
      else if (this.#wasKilled) this.#fail(killed(signal));
      else this.#fail(new JobError('item', 'the picture cannot be read: it makes the picture library crash'));
    });
  }

  get ended(): boolean {
    return this.#failure !== undefined;
  }

  /** Whether it ended because somebody or something else ended it. */
  get wasKilled(): boolean {
    return this.#wasKilled;
  }

  /** @throws JobError `item`: as `Codec.decode`, or it took too long, or the process died of it; `platform`: it does not start. */
  async decode(bytes: Uint8Array, kind: PictureKind): Promise<Picture> {
    if (!this.#isReady) {
      await this.#answer();
      this.#isReady = true;
    }
    const size = Math.max(SECONDS_PER_MEGABYTE * bytes.length, SECONDS_PER_MEGAPIXEL * claimedPixels(bytes, kind));
    const seconds = Math.round(SECONDS + size / 1e6);
    const timer = setTimeout(() => {
      this.#fail(new JobError('item', `the picture cannot be read: it takes longer than ${seconds} s`));
      this.end();
    }, seconds * 1000);
    try {
      const answer = this.#answer();
      send(this.#child.stdin, {}, bytes);
      const { head, body } = await answer;
      if (!head.ok) throw new JobError('item', head.message);
      return { width: head.width, height: head.height, data: body };
    } finally {
      clearTimeout(timer);
    }
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }

  /** The next message. */
  #answer(): Promise<Message<Answer>> {
    return new Promise((resolve, reject) => {
      this.#take = resolve;
      this.#refuse = reject;
      if (this.#failure) reject(this.#failure);
    });
  }

  #fail(failure: JobError): void {
    this.#failure ??= failure;
    this.#refuse(this.#failure);
  }
}

const killed = (signal: NodeJS.Signals | null) =>
  new JobError(
    'item',
    `the picture cannot be read: the process that reads it was killed ${MOST_KILLS} times (${signal}), ${PERHAPS_MEMORY}`,
  );

function notStarted(why: string): JobError {
  return new JobError('platform', `The process that reads pictures does not start (${why}).`);
}

/**
 * What the headers of the kinds that take longest say: the pixels of WebP (RFC 9649) and AVIF (ISO 23008-12, `ispe`), at most
 * `PIXEL_LIMIT`.
 */
function claimedPixels(bytes: Uint8Array, kind: PictureKind): number {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let pixels = 0;
  if (kind === 'webp' && file.length >= 30) {
    const form = file.toString('latin1', 12, 16);
    if (form === 'VP8X') pixels = (file.readUIntLE(24, 3) + 1) * (file.readUIntLE(27, 3) + 1);
    else if (form === 'VP8L')
      pixels = ((file.readUInt16LE(21) & 0x3fff) + 1) * (((file.readUInt32LE(21) >>> 14) & 0x3fff) + 1);
    else pixels = (file.readUInt16LE(26) & 0x3fff) * (file.readUInt16LE(28) & 0x3fff);
  }
  if (kind === 'avif')
    for (let at = file.indexOf('ispe'); at !== -1 && at + 16 <= file.length; at = file.indexOf('ispe', at + 4))
      pixels = Math.max(pixels, file.readUInt32BE(at + 8) * file.readUInt32BE(at + 12));
  return Math.min(pixels, PIXEL_LIMIT);
}
