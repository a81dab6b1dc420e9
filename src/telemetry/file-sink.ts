import { appendFile, mkdir, stat } from 'node:fs/promises';
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
  let broken = false;

  async function write(): Promise<void> {
    while (waiting.length > 0) {
      const [chunk, rest] = firstOf(waiting);
      waiting = rest;
      try {
        await mkdir(path.dirname(file), { recursive: true });
        const { size } = await stat(file).catch(() => ({ size: 0 }));
        if (size >= mostBytes) continue;
        await appendFile(file, broken ? `\n${chunk}` : chunk);
        broken = false;
      } catch {
        // A job is worth more than what is told of it.
        broken = true;
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
