/**
 * Split and stitch through Azurite against ffmpeg that writes the frames to disk and back: plain, as PNG with its own conversion and settings,
 * and alike, through our filters and encoders in the format in which frames are stored by default. Both encode the video in the same way. The clip is the sample, over and over. Run it with `npm run bench:media`; sizes and lengths such as `1920x1080:200` may follow.
 * Between the two lies what nobody who moves the frames through Node and Azurite can do without: piped, where ffmpeg's pictures go into one blob
 * and from there back into ffmpeg, through Node's own streams, with no packs, checksums, repeats, checks or contact sheet.
 * Beside the seconds on the wall stand those of the processors by program, which other work on the machine disturbs less.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BlobSASPermissions, type ContainerClient } from '@azure/storage-blob';
import pMap from 'p-map';
import { createSplitVideo } from '../src/activities/videos/split-video.js';
import { createStitchVideo } from '../src/activities/videos/stitch-video.js';
import { startAzurite } from '../dist/stack/azurite.js';
import { DEFAULT_FRAME_FORMAT, type FrameFormat } from '../src/job/items/formats.js';
import { choosePack } from '../src/job/plan.js';
import { parseSpec } from '../src/job/spec.js';
import { toRgb, toYuv } from '../src/media/colour.js';
import { createMedia, findFfmpeg, type VideoFacts } from '../src/media/media.js';
import { ppmHeader } from '../src/job/items/ppm.js';
import { ENCODERS } from '../src/media/split/split.js';
import { encoderOptions } from '../src/media/stitch/stitch-arguments.js';
import { framesBlob, type ItemRange, scoredPart } from '../src/container-contract/places.js';
import { INBOX, jobContainer, RESOLVED_JOB, workContainer } from '../src/job-store/layout.js';
import { readBytes, writeJson } from '../src/storage/storage.js';
import { PICTURE_ONLY } from '../test/support/media.js';
import { openAzurite } from '../test/support/storage.js';

const DEFAULTS = ['640x360:100', '640x360:1000', '1920x1080:100', '64x48:100', '64x48:1000', '64x48:10000'];
const clips = process.argv.length > 2 ? process.argv.slice(2) : DEFAULTS;
const SAMPLE = path.resolve(import.meta.dirname, '../samples/coast.mp4');
const tools = findFfmpeg({}, process.env.PATH ?? '');
const media = createMedia(tools);
const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-media-'));
const azurite = await startAzurite(folder, process.env);
const connection = azurite.connectionString;
const storage = openAzurite(connection);

const ffmpeg = (...args: string[]) => void execFileSync(tools.ffmpeg, ['-loglevel', 'error', '-y', ...args]);

/** Seconds on the wall, and of the processors: for ffmpeg and ffprobe, the app, and Azurite. */
interface Cost {
  wall: number;
  ffmpeg: number;
  app: number;
  azurite: number;
}

/** Processor seconds so far of the ended children, this process and Azurite (Linux counts hundredths). */
function cpuSeconds(): Omit<Cost, 'wall'> {
  const fields = (pid: number | string) =>
    (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1] ?? '').split(' ').map(Number);
  const [own, other] = [fields('self'), fields(azurite.pid ?? 'self')];
  const seconds = (ticks: number[]) => ticks.reduce((sum, each) => sum + each, 0) / 100;
  return {
    ffmpeg: seconds(own.slice(13, 15)),
    app: seconds(own.slice(11, 13)),
    azurite: seconds(other.slice(11, 13)),
  };
}

async function timed(work: () => unknown): Promise<Cost> {
  const [began, before] = [performance.now(), cpuSeconds()];
  await work();
  const [wall, after] = [(performance.now() - began) / 1000, cpuSeconds()];
  return {
    wall,
    ffmpeg: after.ffmpeg - before.ffmpeg,
    app: after.app - before.app,
    azurite: after.azurite - before.azurite,
  };
}

/** What ffmpeg alone takes to write the frames to disk, and to read and encode them. */
async function alone(clip: string, facts: VideoFacts, options: string[], format: FrameFormat = 'png'): Promise<Cost[]> {
  const disk = path.join(folder, 'disk');
  mkdirSync(disk);
  const pictures = path.join(disk, `%07d.${format}`);
  const split = await timed(() => ffmpeg('-i', clip, '-vsync', '0', ...options, pictures));
  const output = path.join(disk, 'out.mp4');
  const stitch = await timed(() => ffmpeg('-framerate', '25', '-i', pictures, ...encode(facts), output));
  rmSync(disk, { recursive: true });
  return [split, stitch];
}

const encode = (facts: VideoFacts) => [
  '-vf',
  toYuv(facts),
  ...encoderOptions({ codec: 'h264', quality: 'good' }, facts),
];

/** What it takes as `alone`, with one blob in place of the files. */
async function piped(clip: string, facts: VideoFacts, frames: number): Promise<Cost[]> {
  const inbox = storage.media.getContainerClient(INBOX);
  await inbox.createIfNotExists();
  const blob = await inbox.getBlockBlobClient('piped').generateSasUrl({
    expiresOn: new Date(Date.now() + 3_600_000),
    permissions: BlobSASPermissions.parse('cwr'),
  });
  const { length } = ppmHeader(facts.width, facts.height);
  const headers = {
    'x-ms-blob-type': 'BlockBlob',
    'content-length': frames * (length + 3 * facts.width * facts.height),
  };
  const begin = (...args: string[]) =>
    spawn(tools.ffmpeg, ['-loglevel', 'error', '-y', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const split = await timed(async () => {
    const program = begin(
      '-i',
      clip,
      '-vsync',
      '0',
      '-vf',
      toRgb(facts, 'ppm'),
      ...ENCODERS.ppm,
      '-f',
      'image2pipe',
      '-',
    );
    const answer = await send(http.request(blob, { method: 'PUT', headers }), program.stdout);
    if (answer.statusCode !== 201) throw new Error(`Azurite answered ${answer.statusCode}.`);
  });
  const stitch = await timed(async () => {
    const output = path.join(folder, 'piped.mp4');
    const program = begin('-f', 'image2pipe', '-c:v', 'ppm', '-framerate', '25', '-i', '-', ...encode(facts), output);
    const ended = once(program, 'close');
    const [stored] = (await once(http.get(blob), 'response')) as [IncomingMessage];
    await pipeline(stored, program.stdin);
    await ended;
  });
  return [split, stitch];
}

/** Sends a body, and reads the answer to its end. */
async function send(request: http.ClientRequest, body: Readable): Promise<IncomingMessage> {
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  await pipeline(body, request satisfies Writable);
  const [answer] = await answered;
  answer.resume();
  await once(answer, 'end');
  return answer;
}

/** What the two activities take. */
async function through(clip: string, video: VideoFacts, jobId: string): Promise<Cost[]> {
  const work = storage.media.getContainerClient(workContainer(jobId));
  const job = storage.internal.getContainerClient(jobContainer(jobId));
  const inbox = storage.media.getContainerClient(INBOX);
  await Promise.all([work, job, inbox].map((container) => container.createIfNotExists()));
  await inbox.getBlockBlobClient('clip.mp4').uploadFile(clip);
  const spec = parseSpec(JSON.stringify({ input: { video: `${INBOX}/clip.mp4` }, model: 'none' }));
  const bytesPerItem = 3 * video.width * video.height;
  const pack = choosePack({
    asked: 'auto',
    expected: video.framesEstimate,
    size: 'auto',
    maxParallel: 2,
    bytesPerItem,
  });
  await writeJson(job, RESOLVED_JOB, {
    jobId,
    spec,
    video,
    pack,
    chunkFrames: video.framesEstimate,
    output: `outbox/${jobId}.mp4`,
    others: PICTURE_ONLY,
  });
  const ports = { storage, media, tempFolder: folder };
  const split = await timed(() => createSplitVideo(ports)({ jobId, chunks: 1 }));
  const last = video.framesEstimate - 1;
  const starts = Array.from({ length: Math.ceil(video.framesEstimate / pack) }, (_, index) => index * pack);
  await pMap(starts, (first) => score(work, { first, last: Math.min(last, first + pack - 1) }, pack), {
    concurrency: 6,
  });
  const stitch = await timed(() => createStitchVideo(ports)({ jobId }));
  await work.delete();
  return [split, stitch];
}

/** Stands in for a model that changes nothing; not timed. */
async function score(work: ContainerClient, part: ItemRange, pack: number): Promise<void> {
  const frames = (await readBytes(work, framesBlob(part.first, pack, DEFAULT_FRAME_FORMAT))) ?? Buffer.alloc(0);
  await work.getBlockBlobClient(scoredPart(part, pack, DEFAULT_FRAME_FORMAT)).upload(frames, frames.length);
}

const sum = (costs: Cost[], of: keyof Cost) => costs.reduce((total, cost) => total + cost[of], 0);
const walls = (costs: Cost[]) => costs.map(({ wall }) => wall.toFixed(2)).join(' + ');

try {
  console.log(
    '| frames | plain ffmpeg: split + stitch, s | alike | piped | through storage | to plain | to alike | to piped | CPU ms a frame: alike | piped | ffmpeg + app + Azurite | memory, MB |',
  );
  console.log(`|${' --- |'.repeat(12)}`);
  for (const [index, name] of clips.entries()) {
    const [size = '', frames = 0] = name.split(':');
    const clip = path.join(folder, 'clip.mp4');
    const scaled = ['-vf', `scale=${size.replace('x', ':')}`, '-frames:v', String(frames)];
    ffmpeg('-stream_loop', '-1', '-i', SAMPLE, '-an', ...scaled, '-preset', 'veryfast', '-pix_fmt', 'yuv420p', clip);
    const facts = await media.probe(clip);
    const plain = await alone(clip, facts, []);
    const format = DEFAULT_FRAME_FORMAT;
    const alike = await alone(clip, facts, ['-vf', toRgb(facts, format), ...ENCODERS[format]], format);
    const floor = await piped(clip, facts, Number(frames));
    const stored = await through(clip, facts, `bench-${index}`);
    const ratios = [plain, alike, floor].map((other) => (sum(stored, 'wall') / sum(other, 'wall')).toFixed(2));
    const each = (costs: Cost[], of: keyof Cost) => ((sum(costs, of) / Number(frames)) * 1000).toFixed(1);
    const parts = (costs: Cost[]) => (['ffmpeg', 'app', 'azurite'] as const).map((of) => each(costs, of)).join(' + ');
    const memory = (process.resourceUsage().maxRSS / 1024).toFixed(0);
    const cells = [
      `${frames} × ${size}`,
      walls(plain),
      walls(alike),
      walls(floor),
      walls(stored),
      ...ratios,
      each(alike, 'ffmpeg'),
      parts(floor),
      parts(stored),
      memory,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
} finally {
  await azurite.stop();
  rmSync(folder, { recursive: true, force: true });
}
