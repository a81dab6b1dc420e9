import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createMedia } from '../../../src/media/media.js';
import { jobOf, OUTBOX, TIMING, workOf } from '../../../src/job-store/layout.js';
import { readText } from '../../../src/storage/storage.js';
import { openAzurite } from '../../support/storage.js';
import { randomOf } from '../../support/chaos/faults.js';
import { tools } from '../../support/clip.js';
import { runningOn } from '../../support/processes.js';
import { prepareVideoJob } from '../../support/video-job.js';
import type { VideoStage, VideoStages } from '../../support/video-stages.js';
import { until } from '../../support/wait.js';

/** `KILL_SEEDS=2,3` kills at other moments. */
const seeds = (process.env.KILL_SEEDS ?? '1').split(',').map(Number);
const FRAMES = 50;
const ROOT = path.resolve(import.meta.dirname, '../../..');
const SOURCE = path.join(ROOT, 'test/support/video-stages.ts');
/** It is packed once and started often. */
const PROGRAM = path.join(ROOT, 'dist/test/video-stages.mjs');
const connection = inject('storage');
const storage = openAzurite(connection);
const media = createMedia(tools);
const folder = mkdtempSync(path.join(os.tmpdir(), 'killed-'));
const clip = path.join(folder, 'clip.mp4');

beforeAll(async () => {
  const banner =
    "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);";
  const options = { bundle: true, platform: 'node', target: 'node20', format: 'esm', banner: { js: banner } } as const;
  await build({ ...options, entryPoints: [SOURCE], outfile: PROGRAM, logLevel: 'warning' });
  const pictures = `testsrc2=size=96x64:rate=25:duration=${FRAMES / 25}`;
  const sound = ['-f', 'lavfi', '-i', `sine=duration=${FRAMES / 25}`, '-c:a', 'aac'];
  const keys = ['-c:v', 'libx264', '-g', '10', '-bf', '2', '-pix_fmt', 'yuv420p'];
  execFileSync(tools.ffmpeg, ['-loglevel', 'error', '-f', 'lavfi', '-i', pictures, ...sound, ...keys, clip]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Takes a job as far as it gets; how many requests each stage made, or undefined when it was killed. */
async function run(job: VideoStages): Promise<Partial<Record<VideoStage, number>> | undefined> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [PROGRAM, JSON.stringify(job)], (error, stdout) => {
      if (error && error.signal !== 'SIGKILL') reject(error);
      else resolve(error ? undefined : (JSON.parse(stdout) as Partial<Record<VideoStage, number>>));
    });
  });
}

async function prepare(jobId: string, chunkFrames: number, pack: number): Promise<VideoStages> {
  const output = { video: `${OUTBOX}/${jobId}.mp4` };
  const splitChunks = await prepareVideoJob({ storage, media, clip, chunkFrames, pack }, jobId, { output });
  const tempFolder = path.join(folder, jobId);
  mkdirSync(tempFolder);
  return { connection, tempFolder, jobId, frames: FRAMES, chunkFrames, splitChunks };
}

/** By name: the MD5 that storage took of a blob, and its version. */
type Stored = Map<string, { md5: string; version: string }>;

/** All that the job has left in storage. */
async function stored(jobId: string): Promise<Stored> {
  const found: Stored = new Map();
  const add = (name: string, { contentMD5, etag = '' }: { contentMD5?: Uint8Array; etag?: string }) =>
    found.set(name, { md5: Buffer.from(contentMD5 ?? []).toString('hex'), version: etag });
  for await (const { name, properties } of workOf(storage, jobId).listBlobsFlat()) add(name, properties);
  const outbox = storage.media.getContainerClient(OUTBOX);
  for await (const { properties } of outbox.listBlobsFlat({ prefix: `${jobId}.` })) add('output', properties);
  const times = await readText(jobOf(storage, jobId), TIMING);
  if (times !== undefined) found.set('times', { md5: times, version: '' });
  return found;
}

const contents = (found: Stored) => new Map([...found].map(([name, { md5 }]) => [name, md5] as const));

/** Only the output is made again: whether it had been stored is not known to who starts again. */
function expectKept(before: Stored, after: Stored): void {
  for (const [key, { version }] of before)
    if (key !== 'output') expect([key, after.get(key)?.version]).toEqual([key, version]);
}

/** When to kill each run in turn: a share of the requests that a stage makes when nothing happens to it. */
const PLANS: [how: string, chunkFrames: number, pack: number, kills: [VideoStage, number, number][]][] = [
  [
    'as a whole',
    1000,
    1,
    [
      ['splitVideo', 0.1, 0.9],
      ['stitchVideo', 0.1, 0.8],
      ['stitchVideo', 1, 1],
    ],
  ],
  [
    'in chunks',
    20,
    1,
    [
      ['splitChunk', 0.2, 0.9],
      ['encodeChunk', 0.2, 0.6],
      ['stitchVideo', 0.2, 1],
    ],
  ],
  [
    'in chunks of packs',
    20,
    5,
    [
      ['splitChunk', 0.2, 0.9],
      ['encodeChunk', 0.2, 0.6],
      ['stitchVideo', 0.2, 1],
    ],
  ],
];

describe.each(PLANS)('a video that is split and stitched %s', { timeout: 400_000 }, (how, chunkFrames, pack, kills) => {
  const name = how.replaceAll(' ', '-');
  let whole: Stored;
  let requests: Partial<Record<VideoStage, number>> = {};

  beforeAll(async () => {
    requests = (await run(await prepare(`spared-${name}`, chunkFrames, pack))) ?? {};
    whole = await stored(`spared-${name}`);
    expect([...whole.keys()].filter((key) => key.startsWith('frames/'))).toHaveLength(Math.ceil(FRAMES / pack));
    expect(whole.has('output')).toBe(true);
  });

  test.each(seeds)('by hosts killed one after another (seed %i) ends as if nothing had happened', async (seed) => {
    const random = randomOf(`kill ${how} ${seed}`);
    const job = await prepare(`killed-${name}-${seed}`, chunkFrames, pack);
    let before = await stored(job.jobId);
    for (const [stage, least, most] of kills) {
      const share = least + random() * (most - least);
      const die = { stage, request: Math.max(1, Math.round(share * (requests[stage] ?? 0))) };
      expect(await run({ ...job, die }), `${stage} at ${die.request}`).toBeUndefined();
      const after = await stored(job.jobId);
      // Whatever is there is whole, and what was there has not been stored again.
      for (const [key, { md5 }] of after) expect([key, md5]).toEqual([key, whole.get(key)?.md5]);
      expectKept(before, after);
      before = after;
    }
    expect(await run(job)).toBeDefined();
    const after = await stored(job.jobId);
    expect(contents(after)).toEqual(contents(whole));
    expectKept(before, after);
    await until('the end of every ffmpeg', () => (runningOn(job.tempFolder).length === 0 ? true : undefined));
  });
});
