/**
 * Encodes the frames of the sample, or of the video named, with every codec and quality, and prints a Markdown table of what each takes
 * and gives back. Run it with `npx tsx bench/codecs.ts`.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  DEFAULT_FRAME_FORMAT,
  QUALITIES,
  type Quality,
  VIDEO_CODECS,
  type VideoCodec,
} from '../src/job/items/formats.js';
import { builds, compareRgb, decodeRgb, EXACT, framesOf, sample, splitWhole } from '../test/support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'codecs-'));
const source = process.argv[2] ?? sample;
const row = (cells: (string | number)[]) => console.log(`| ${cells.join(' | ')} |`);

const build = builds.at(-1) ?? fail('There is no ffmpeg.');
const { media } = build;
const { facts, frames, timetable } = await splitWhole(media, source);
const before = decodeRgb(build, source, EXACT);

function fail(why: string): never {
  throw new Error(why);
}

async function encode(codec: VideoCodec, quality?: Quality): Promise<void> {
  const output = path.join(folder, `${codec}-${quality ?? ''}${codec === 'ffv1' ? '.mkv' : '.mp4'}`);
  const began = performance.now();
  const { others } = await media.rehearse({ source, facts, output, codec });
  const request = { format: DEFAULT_FRAME_FORMAT, source, facts, timetable, others, output, codec, quality } as const;
  await media.stitch({ ...request, frames: framesOf(frames) });
  const seconds = (performance.now() - began) / 1000;
  const { psnr, shift } = compareRgb(before, decodeRgb(build, output, EXACT));
  const { pixelFormat } = await media.probe(output);
  const size = (statSync(output).size / 1000).toFixed(0);
  const most = Math.max(...shift.map(Math.abs)).toFixed(2);
  row([codec, quality ?? '', pixelFormat, size, `${psnr.toFixed(1)} dB`, most, (frames.length / seconds).toFixed(0)]);
}

try {
  row(['codec', 'quality', 'pixels', 'KB', 'PSNR', 'mean shift', 'frames/s']);
  row(Array.from({ length: 7 }, () => '---'));
  for (const codec of VIDEO_CODECS)
    for (const quality of codec === 'ffv1' ? [undefined] : QUALITIES) await encode(codec, quality);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
