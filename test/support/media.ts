import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createMedia, findFfmpeg } from '../../src/media/media.js';

const root = path.resolve(import.meta.dirname, '../..');

/** Real files from elsewhere, not part of the project: tests that need them are skipped where the folder is absent. */
export const data = path.resolve(root, '../shared/data');
export const hasData = existsSync(data);
export const sample = path.join(root, 'samples/coast.mp4');

/** The FFmpeg builds that the tests run with: the npm one always, the system's where it is installed. */
export const builds = ['npm', ...(existsSync('/usr/bin/ffmpeg') ? ['/usr/bin'] : [])].map((name) => {
  const tools = findFfmpeg({}, name === 'npm' ? '' : name);
  return { name, tools, media: createMedia(tools) };
});

export type Build = (typeof builds)[number];

const BIG = { maxBuffer: 1 << 30, encoding: 'utf8' } as const;
const QUIET = ['-nostdin', '-hide_banner', '-loglevel', 'error'];

/** One hash per audio packet of all audio streams, in the order of the file. */
export function packetHashes({ tools }: Build, file: string): string[] {
  const lines = execFileSync(
    tools.ffmpeg,
    [...QUIET, '-i', file, '-map', '0:a?', '-c', 'copy', '-f', 'framemd5', 'pipe:1'],
    BIG,
  );
  const fields = lines.split('\n').filter((line) => /^\d/.test(line));
  return fields.map((line) => {
    const columns = line.split(',').map((column) => column.trim());
    return [columns[0], columns[4], columns[5]].join(' ');
  });
}

/** Seconds at which the first packet of a stream such as `v:0` is shown. */
export function startOf({ tools }: Build, file: string, stream: string): number {
  const what = ['-select_streams', stream, '-show_entries', 'stream=start_time', '-of', 'csv=p=0'];
  return Number(execFileSync(tools.ffprobe, ['-v', 'error', ...what, file], BIG));
}

/** PSNR of each frame of a video against the pictures of a folder (`%d.png`), both reduced to `filter`'s pixel format. */
export function psnrPerFrame({ tools }: Build, file: string, pictures: string, filter: string): number[] {
  const graph = `[0:v]${filter}[a];[1:v]${filter}[b];[a][b]psnr=stats_file=-`;
  const inputs = ['-i', file, '-start_number', '0', '-i', path.join(pictures, '%d.png')];
  const text = execFileSync(
    tools.ffmpeg,
    [...QUIET, ...inputs, '-vsync', '0', '-lavfi', graph, '-f', 'null', '-'],
    BIG,
  );
  return [...text.matchAll(/psnr_avg:(\S+)/g)].map((match) => (match[1] === 'inf' ? Infinity : Number(match[1])));
}

/** All frames as RGB24 bytes, read with the matrix that the file's own tags ask for. */
export function decodeRgb({ tools }: Build, file: string): Buffer {
  const what = ['-map', '0:v:0', '-vsync', '0', '-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'];
  return execFileSync(tools.ffmpeg, [...QUIET, '-i', file, ...what], { maxBuffer: 1 << 30 });
}

/** Mean of `b - a` per channel and PSNR in dB over all bytes. */
export function compareRgb(a: Buffer, b: Buffer): { psnr: number; shift: number[] } {
  const sums = [0, 0, 0];
  let squares = 0;
  for (let i = 0; i < a.length; i += 1) {
    const difference = (b[i] ?? 0) - (a[i] ?? 0);
    sums[i % 3] = (sums[i % 3] ?? 0) + difference;
    squares += difference * difference;
  }
  return { psnr: 10 * Math.log10((255 * 255 * a.length) / squares), shift: sums.map((sum) => (sum * 3) / a.length) };
}

/** Process ids of the running ffmpeg and ffprobe that this process started (Linux only). */
export function runningTools(): number[] {
  const children = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return children.map(Number).filter((pid) => {
    try {
      const [, name = '', state = '', parent = ''] =
        /^\d+ \((.*)\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      return Number(parent) === process.pid && /^ff(mpeg|probe)/.test(name) && state !== 'Z';
    } catch {
      // It ended while we looked.
      return false;
    }
  });
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
