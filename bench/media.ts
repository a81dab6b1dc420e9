/**
 * Split and stitch through Azurite against plain ffmpeg that writes the same frames to disk and back, in one run, at growing lengths.
 * Run it with `npm run bench:media`; lengths in frames may follow.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createSplitVideo } from '../src/activities/split-video.js';
import { createStitchVideo } from '../src/activities/stitch-video.js';
import { startAzurite } from '../dist/cli/azurite.js';
import { createMedia, findFfmpeg } from '../src/media/media.js';
import { INBOX, jobContainer, RESOLVED_JOB, workContainer } from '../src/storage/layout.js';
import { openStorage, writeJson } from '../src/storage/storage.js';
import { parseSpec } from '../src/job/spec.js';

const lengths = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [100, 1000];
const tools = findFfmpeg({}, process.env.PATH ?? '');
const media = createMedia(tools);
const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-media-'));
const azurite = await startAzurite(folder, undefined, process.env);
const storage = openStorage({
  mediaConnection: azurite.connectionString,
  internalConnection: azurite.connectionString,
});

const ffmpeg = (...args: string[]) => void execFileSync(tools.ffmpeg, ['-loglevel', 'error', '-y', ...args]);

async function timed(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** Seconds that ffmpeg alone takes to write the frames to disk, and to read and encode them. */
async function plain(clip: string, frames: number): Promise<{ split: number; stitch: number }> {
  const disk = path.join(folder, `disk-${frames}`);
  mkdirSync(disk);
  const [pictures, codec] = [path.join(disk, '%07d.png'), '-c:v png -compression_level 1 -pred up'.split(' ')];
  const split = await timed(() => ffmpeg('-i', clip, '-vsync', '0', '-pix_fmt', 'rgb24', ...codec, pictures));
  const encode = '-c:v libx264 -preset veryfast -crf 16 -pix_fmt yuv420p'.split(' ');
  const stitch = await timed(() => ffmpeg('-framerate', '25', '-i', pictures, ...encode, path.join(disk, 'out.mp4')));
  rmSync(disk, { recursive: true });
  return { split, stitch };
}

/** Seconds of the two activities. Nothing is scored, so each frame is looked for in vain first: a request more than in a job. */
async function through(clip: string, frames: number): Promise<{ split: number; stitch: number }> {
  const jobId = `bench-${frames}`;
  const [work, job] = [workContainer(jobId), jobContainer(jobId)].map((name) => storage.media.getContainerClient(name));
  const inbox = storage.media.getContainerClient(INBOX);
  if (!work || !job) throw new Error('there is no container');
  await Promise.all([work, job, inbox].map((container) => container.createIfNotExists()));
  await inbox.getBlockBlobClient('clip.mp4').uploadFile(clip);
  const spec = parseSpec(JSON.stringify({ input: { video: `${INBOX}/clip.mp4` }, model: 'none' }));
  await writeJson(job, RESOLVED_JOB, { jobId, spec, video: await media.probe(clip), output: 'outbox/clip.mp4' });
  const ports = { storage, media, tempFolder: folder };
  const split = await timed(() => createSplitVideo(ports)({ jobId }));
  return { split, stitch: await timed(() => createStitchVideo(ports)({ jobId, frames })) };
}

try {
  console.log('frames | ffmpeg split, stitch (s) | through storage (s) | ratio | peak memory (MB)');
  for (const frames of lengths) {
    const clip = path.join(folder, `${frames}.mp4`);
    const size = frames > 5000 ? '64x48' : '640x360';
    ffmpeg('-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25:duration=${frames / 25}`, '-pix_fmt', 'yuv420p', clip);
    const [alone, stored] = [await plain(clip, frames), await through(clip, frames)];
    const ratio = (stored.split + stored.stitch) / (alone.split + alone.stitch);
    const pair = ({ split, stitch }: typeof alone) => `${split.toFixed(2)}, ${stitch.toFixed(2)}`;
    const memory = process.resourceUsage().maxRSS / 1024;
    console.log([frames, pair(alone), pair(stored), ratio.toFixed(2), memory.toFixed(0)].join(' | '));
  }
} finally {
  await azurite.child.stop();
  rmSync(folder, { recursive: true, force: true });
}
