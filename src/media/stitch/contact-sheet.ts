import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { JobError } from '../../job/failure.js';
import { ffmpegFailure, local, type Program, QUIET, run, type Tools, words } from '../ffmpeg/process.js';

export interface Pair {
  /** PPM, PNG or JPEG, each of any size. */
  before: Buffer;
  after: Buffer;
}

const WIDTH = 1200;
const GUTTER = 6;
/** The cheapest deflate behind this predictor gives a smaller file than ffmpeg's own choice, in less than half the time. */
const PNG = words('-c:v png -compression_level 1 -pred sub');

/**
 * One PNG, at most 1200 pixels wide: a row per pair, before on the left, after on the right. Every picture is fitted into a cell of
 * the shape of the first, as wide as the wider one of its pair, so that it shows what a model enlarges.
 * @throws JobError `user` for no pairs, a picture that cannot be decoded or an output that cannot be written.
 */
export async function contactSheet(tools: Tools, pairs: Pair[], output: string): Promise<void> {
  if (pairs.length === 0) throw new JobError('user', 'A contact sheet needs at least one pair of pictures.');
  const folder = await mkdtemp(`${output}-`);
  try {
    const files = await savePictures(folder, pairs);
    const inputs = files.flatMap((file) => ['-protocol_whitelist', 'file,pipe', '-i', local(file)]);
    const graph = sheetGraph(pairs.length, await cellOf(tools, files.slice(0, 2)));
    const sheet = ['-filter_complex', graph, '-frames:v', '1', ...PNG, '-f', 'image2pipe', 'pipe:1'];
    const end = await run(tools.ffmpeg, [...QUIET, '-nostdin', ...inputs, ...sheet]);
    if (end.code !== 0) throw ffmpegFailure(tools.ffmpeg, end, 'draw the contact sheet');
    await writeFile(output, end.stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function savePictures(folder: string, pairs: Pair[]): Promise<string[]> {
  const pictures = pairs.flatMap(({ before, after }) => [before, after]);
  const files = pictures.map((_, index) => path.join(folder, String(index)));
  await Promise.all(pictures.map((picture, index) => writeFile(files[index] ?? '', picture)));
  return files;
}

const sizeSchema = z.object({ streams: z.tuple([z.object({ width: z.number(), height: z.number() })]) });

/** The size of a cell for a pair: small enough for two in a row. */
async function cellOf({ ffprobe }: Tools, pair: string[]): Promise<{ width: number; height: number }> {
  const sizes = await Promise.all(pair.map((picture) => sizeOf(ffprobe, picture)));
  const [before = { width: 1, height: 1 }] = sizes;
  const widest = Math.max(...sizes.map(({ width }) => width));
  const width = Math.min(widest, Math.floor((WIDTH - 3 * GUTTER) / 2));
  return { width, height: Math.max(1, Math.round((before.height * width) / before.width)) };
}

async function sizeOf(ffprobe: Program, picture: string): Promise<{ width: number; height: number }> {
  const end = await run(ffprobe, [...QUIET, '-show_entries', 'stream=width,height', '-of', 'json', local(picture)]);
  if (end.code !== 0) throw ffmpegFailure(ffprobe, end, 'read a picture of the contact sheet');
  return sizeSchema.parse(JSON.parse(end.stdout.toString())).streams[0];
}

function sheetGraph(rows: number, { width, height }: { width: number; height: number }): string {
  const inputs = Array.from({ length: 2 * rows }, (_, index) => index);
  const fit = `scale=${width}:${height}:force_original_aspect_ratio=decrease:flags=lanczos,pad=${width}:${height}:-1:-1`;
  const cells = inputs.map((index) => `[${index}:v]${fit},setsar=1,format=rgb24[c${index}]`);
  const joined = `${inputs.map((index) => `[c${index}]`).join('')}concat=n=${inputs.length}`;
  return `${cells.join(';')};${joined},tile=2x${rows}:padding=${GUTTER}:margin=${GUTTER}:color=0x202020`;
}
