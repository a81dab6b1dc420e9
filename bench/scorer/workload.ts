import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DEFAULT_FRAME_FORMAT } from '../../src/job/items/formats.js';
import { findFfmpeg } from '../../src/media/ffmpeg/find.js';

export const ROOT = path.resolve(import.meta.dirname, '../..');

export const MODEL = path.join(ROOT, 'models/starry-night.onnx');

/** How many processes score at once, and the threads of one inference in each. */
export interface Layout {
  processes: number;
  threads: number;
}

/** The bundled model over real frames of one size. */
export interface Workload {
  model: string;
  width: number;
  height: number;
  /** Items of one measurement. */
  frames: number;
  /** PNG files by name. */
  pictures: Record<string, Buffer>;
  /** The same as a job stores them. */
  stored: Record<string, Buffer>;
}

/** Frames of the sample clip at another size. */
export function loadWorkload(width: number, height: number, frames: number): Workload {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-frames-'));
  try {
    const { ffmpeg } = findFfmpeg({}, process.env.PATH ?? '');
    const args = ['-loglevel', 'error', '-stream_loop', '-1', '-i', path.join(ROOT, 'samples/coast.mp4')];
    const scaled = ['-vf', `scale=${width}:${height}`, '-frames:v', String(frames)];
    const output = (ending: string) => [...scaled, path.join(folder, `%05d.${ending}`)];
    execFileSync(ffmpeg, [...args, ...output('png'), ...output(DEFAULT_FRAME_FORMAT)]);
    const read = (ending: string) => {
      const names = readdirSync(folder).filter((name) => name.endsWith(ending));
      return Object.fromEntries(names.toSorted().map((name) => [name, readFileSync(path.join(folder, name))]));
    };
    return { model: MODEL, width, height, frames, pictures: read('png'), stored: read(DEFAULT_FRAME_FORMAT) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The values of a picture that nobody has to store, channel after channel. */
export function waves(width: number, height: number): Float32Array {
  return Float32Array.from({ length: 3 * width * height }, (_, index) => 128 + 100 * Math.sin(index / 37));
}
