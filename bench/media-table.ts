/** Sends every real test video through split and stitch, unpainted, and prints a Markdown table of source and result. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { endingOf } from '../src/job/output.js';
import type { Timetable, VideoFacts } from '../src/media/media.js';
import { type Build, builds, compareRgb, decodeRgb } from '../test/support/media.js';
import { sharedData } from '../test/support/shared-data.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'media-table-'));
const videos = readdirSync(sharedData('videos'), { recursive: true, encoding: 'utf8' }).filter(endingOf).toSorted();

const columns = ['file', 'ffmpeg', 'frames', 'largest time error', 'seconds', 'size', 'sound packets', 'PSNR'];
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
  ]);
}

const size = ({ width, height }: VideoFacts) => `${width}×${height}`;

function quality(build: Build, source: string, output: string, before: VideoFacts, after: VideoFacts): string {
  if (size(before) !== size(after)) return '–';
  const { psnr, shift } = compareRgb(decodeRgb(build, source), decodeRgb(build, output));
  return `${psnr.toFixed(1)} dB, shift ${Math.max(...shift.map(Math.abs)).toFixed(2)}`;
}

row(columns);
row(columns.map(() => '---'));
for (const file of videos) for (const build of builds) await passThrough(build, file);
rmSync(folder, { recursive: true, force: true });
