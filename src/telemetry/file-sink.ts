import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import type { Sink } from './records.js';

/** Records that wait to be written, at most; of more, the newest are lost. */
const MOST_WAITING = 20_000;
/** Bytes that one write takes. */
const CHUNK = 1024 * 1024;
/** A file that has grown to so many bytes is not written to any more: telemetry is not to fill a disk. */
const LONGEST_FILE = 512 * 1024 * 1024;

/**
 * Appends records to a file, one line of JSON each. What cannot be written is lost, and may leave half a line behind; the next write
 * begins a new one.
 */
export function createFileSink(file: string, { mostBytes = LONGEST_FILE, mostWaiting = MOST_WAITING } = {}): Sink {
  let waiting: string[] = [];
  let writing: Promise<void> | undefined;

  async function write(): Promise<void> {
    while (waiting.length > 0) {
      const [chunk, rest] = firstOf(waiting);
      waiting = rest;
      try {
        await append(file, chunk, mostBytes);
      } catch {
        // A job is worth more than what is told of it.
      }
    }
    writing = undefined;
  }

  return {
    report(records) {
      const room = Math.max(0, mostWaiting - waiting.length);
      waiting.push(...records.slice(0, room).map((record) => `${JSON.stringify(record)}\n`));
      writing ??= write();
    },
    flush: async () => {
      await writing;
    },
  };
}

/** As many lines as one write takes, and the others. */
function firstOf(lines: string[]): [chunk: string, rest: string[]] {
  let bytes = 0;
  let count = 0;
  while (count < lines.length && (count === 0 || bytes < CHUNK)) {
    bytes += lines[count]?.length ?? 0;
    count += 1;
  }
  return [lines.slice(0, count).join(''), lines.slice(count)];
}

/** Without O_NONBLOCK a pipe that nobody reads would hold up the app. */
const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

async function append(file: string, lines: string, mostBytes: number): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const handle = await open(file, FLAGS);
  try {
    const { size } = await handle.stat();
    if (size < mostBytes) await handle.appendFile((await endsInLine(handle, size)) ? `\n${lines}` : lines);
  } finally {
    await handle.close();
  }
}

/** A process that was killed, or a full disk, may have left half a line. */
async function endsInLine(handle: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return false;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer.toString() !== '\n';
}
