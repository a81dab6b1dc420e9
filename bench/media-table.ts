/**
 * Sends every real test video, or those named, through whole jobs on a local stack and prints Markdown tables: source and result side
 * by side, for a model that changes nothing or the one that `--model starry-night` names, by each FFmpeg build that is there (or
 * `--build npm`); then what the frames cost as PNG and as JPEG. Run it with `npm run bench:media-table`.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { startStack } from '../dist/stack/stack.js';
import { createJobClient } from '../src/cli/client/client.js';
import { endingOf } from '../src/job/items/formats.js';
import type { VideoFacts } from '../src/media/media.js';
import { tinyModel } from '../test/support/scorer/tiny-model.js';
import { type Build, builds, compareRgb, decodeRgb, EXACT, packetHashes, shownTimes } from '../test/support/media.js';
import { sharedData } from '../test/support/shared-data.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { model: { type: 'string', default: 'pass' }, build: { type: 'string' }, formats: { type: 'boolean' } },
});
const folder = mkdtempSync(path.join(os.tmpdir(), 'media-table-'));
const all = readdirSync(sharedData('videos'), { recursive: true, encoding: 'utf8' }).filter(endingOf).toSorted();
const videos = positionals.length > 0 ? positionals : all;
const called = ({ name }: Build) => (name === 'npm' ? 'npm' : 'Debian');
const row = (cells: (string | number)[]) => console.log(`| ${cells.join(' | ')} |`);
const head = (cells: string[]) => [cells, cells.map(() => '---')].forEach(row);

/** Sends a video through the app: the output's file, or the sentence that the job failed with. */
async function job(client: ReturnType<typeof createJobClient>, model: string, file: string) {
  const input = { video: await client.upload('video', file) };
  const id = await client.start({ input, model, timeouts: { batchSeconds: 7200, stallSeconds: 600 } });
  for (;;) {
    const status = await client.status(id);
    if (status.state === 'done') break;
    if (status.state !== 'running' && status.state !== 'queued') throw new Error(status.error?.message);
    await wait(200);
  }
  const target = path.join(folder, 'output.mp4');
  await client.download(id, 'output', target);
  return target;
}

const COLUMNS = [
  'frames',
  'largest time error',
  'seconds',
  'size, rotation',
  'sound: md5 of all packets',
  'PSNR, shift',
];

async function compareJobs(build: Build): Promise<void> {
  const env = { ...process.env, FFMPEG_PATH: build.tools.ffmpeg, FFPROBE_PATH: build.tools.ffprobe };
  const stack = await startStack({ folder: path.join(folder, called(build)), env });
  try {
    const client = createJobClient(stack.url, undefined);
    const network = path.join(folder, 'pass.onnx');
    writeFileSync(network, tinyModel({ operator: 'Identity', shape: [1, 3, 'h', 'w'] }));
    const pass = values.model === 'pass';
    const model = pass ? await client.upload('model', network) : values.model;
    head(['file', 'ffmpeg', ...COLUMNS]);
    for (const file of videos) {
      const source = sharedData('videos', file);
      const output = await job(client, model, source);
      row([file, called(build), ...(await sideBySide(build, source, output, pass))]);
    }
  } finally {
    await stack.stop();
  }
}

async function sideBySide(build: Build, source: string, output: string, pass: boolean): Promise<string[]> {
  const [before, after] = [await build.media.probe(source), await build.media.probe(output)];
  const [shown, found] = [shownTimes(build, source), shownTimes(build, output)];
  const error = Math.max(...shown.map((time, index) => Math.abs(time - (found[index] ?? Infinity))));
  return [
    `${shown.length} → ${found.length}`,
    `${(error * 1000).toFixed(2)} ms`,
    `${before.durationSeconds.toFixed(3)} → ${after.durationSeconds.toFixed(3)}`,
    `${shape(build, source, before)} → ${shape(build, output, after)}`,
    sound(build, source, output),
    pass ? likeness(build, source, output) : '–',
  ];
}

/** As it is shown, with the rotation that the file asks for. */
function shape({ tools }: Build, file: string, { width, height }: VideoFacts): string {
  const what = '-v error -select_streams v:0 -show_entries side_data=rotation -of csv=p=0'.split(' ');
  const [rotation] = execFileSync(tools.ffprobe, [...what, file], { encoding: 'utf8' }).match(/-?\d+/) ?? [];
  return `${width}×${height}${rotation === undefined ? '' : `, ${rotation}°`}`;
}

function sound(build: Build, source: string, output: string): string {
  const hashes = (file: string) =>
    packetHashes(build, file).map((packets) => {
      const md5 = createHash('md5').update(packets.join()).digest('hex').slice(0, 6);
      return `${packets.length} × ${md5}`;
    });
  const [before, after] = [hashes(source), hashes(output)];
  return before.map((track, index) => `${track} → ${after[index] ?? 'none'}`).join('; ') || 'silent';
}

/** RGB of the picture that the source has: an odd size has grown by one. */
function likeness(build: Build, source: string, output: string): string {
  const size = execFileSync(
    build.tools.ffprobe,
    ['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'stream=width,height', '-of', 'csv=p=0:s=x', source],
    { encoding: 'utf8' },
  );
  const [width = 0, height = 0] = size.trim().split('x').map(Number);
  const odd = width % 2 === 1 || height % 2 === 1;
  const crop = odd ? `,crop=${width}:${height}:0:0` : '';
  const { psnr, shift } = compareRgb(decodeRgb(build, source, EXACT), decodeRgb(build, output, `${EXACT}${crop}`));
  return `${psnr === Infinity ? '∞' : psnr.toFixed(1)} dB, ${Math.max(...shift.map(Math.abs)).toFixed(2)}`;
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
  row([file, `${facts.width}×${facts.height}`, bytes(png), bytes(jpg), `${psnr.toFixed(1)} dB`]);
}

try {
  if (values.formats === true) {
    head(['file', 'size', 'PNG, KB a frame', 'JPEG, KB a frame', 'PSNR of the JPEG frames']);
    for (const file of videos) await compareFormats(file);
  } else {
    for (const build of builds.filter((each) => [undefined, called(each)].includes(values.build)))
      await compareJobs(build);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
