/**
 * Sends every real test video, or those named, through split and stitch, unpainted, and prints Markdown tables: of source and result,
 * and of what the frames cost as PNG and as JPEG.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { endingOf } from '../src/job/output.js';
import type { Timetable, VideoFacts } from '../src/media/media.js';
import { type Build, builds, compareRgb, decodeRgb } from '../test/support/media.js';
import { sharedData } from '../test/support/shared-data.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'media-table-'));
const all = readdirSync(sharedData('videos'), { recursive: true, encoding: 'utf8' }).filter(endingOf).toSorted();
const videos = process.argv.length > 2 ? process.argv.slice(2) : all;

const columns = [
  'file',
  'ffmpeg',
  'frames',
  'largest time error',
  'seconds',
  'size',
  'sound packets',
  'PSNR',
  'PSNR at `best`',
];
const row = (cells: (string | number)[]) => console.log(`| ${cells.join(' | ')} |`);

async function passThrough(build: Build, file: string): Promise<void> {
  const source = sharedData('videos', file);
  const output = path.join(folder, 'output.mp4');
  const facts = await build.media.probe(source);
  const format = 'png';
  const seen: Timetable[] = [];
  // The times come with the last frame, so the frames are made twice rather than kept.
  for await (const _ of build.media.split(source, { format, facts, onTimetable: (table) => seen.push(table) }));
  const [timetable] = seen;
  if (!timetable) throw new Error(`${file} has no timetable`);
  await build.media.stitch({
    frames: build.media.split(source, { format, facts }),
    format,
    source,
    facts,
    timetable,
    output,
  });
  const { frames, seconds, largestTimeError, sound, problems } = await build.media.compare({
    source,
    facts,
    timetable,
    output,
  });
  const after = await build.media.probe(output);
  const best = async () => {
    const pngs = build.media.split(source, { format, facts });
    const again = path.join(folder, 'best.mp4');
    await build.media.stitch({ frames: pngs, format, source, facts, timetable, output: again, quality: 'best' });
    return quality(build, source, again, facts, after);
  };
  const packets = sound.map(
    (track) => `${track.expected} → ${track.found}${track.sameData ? ', same bytes' : ', OTHER BYTES'}`,
  );
  row([
    file,
    build.name === 'npm' ? 'npm' : 'Debian',
    `${frames.expected} → ${frames.found}`,
    `${(largestTimeError * 1000).toFixed(2)} ms`,
    `${seconds.expected.toFixed(3)} → ${after.durationSeconds.toFixed(3)}`,
    `${size(facts)} → ${size(after)}`,
    packets.join('; ') || 'silent',
    problems.join(' ') || quality(build, source, output, facts, after),
    await best(),
  ]);
}

const size = ({ width, height }: VideoFacts) => `${width}×${height}`;

function quality(build: Build, source: string, output: string, before: VideoFacts, after: VideoFacts): string {
  if (size(before) !== size(after)) return '–';
  const { psnr, shift } = compareRgb(decodeRgb(build, source), decodeRgb(build, output));
  return `${psnr.toFixed(1)} dB, shift ${Math.max(...shift.map(Math.abs)).toFixed(2)}`;
}

/** The first frames in both formats, by the last build. */
async function compareFormats(file: string): Promise<void> {
  const media = builds.at(-1)?.media;
  const source = sharedData('videos', file);
  if (!media) return;
  const facts = await media.probe(source);
  const first = async (format: 'png' | 'jpg') => {
    const frames: Buffer[] = [];
    for await (const frame of media.split(source, { format, facts })) if (frames.push(frame) === 24) break;
    return frames;
  };
  const [png, jpg] = [await first('png'), await first('jpg')];
  const pixels = async (frames: Buffer[]) =>
    Buffer.concat(await Promise.all(frames.map((frame) => sharp(frame).removeAlpha().raw().toBuffer())));
  const bytes = (frames: Buffer[]) => (Buffer.concat(frames).length / frames.length / 1000).toFixed(0);
  const { psnr } = compareRgb(await pixels(png), await pixels(jpg));
  row([file, size(facts), bytes(png), bytes(jpg), `${psnr.toFixed(1)} dB`]);
}

row(columns);
row(columns.map(() => '---'));
for (const file of videos) for (const build of builds) await passThrough(build, file);

const cost = ['file', 'size', 'PNG, KB a frame', 'JPEG, KB a frame', 'PSNR of the JPEG frames'];
console.log();
row(cost);
row(cost.map(() => '---'));
for (const file of videos) await compareFormats(file);
rmSync(folder, { recursive: true, force: true });
