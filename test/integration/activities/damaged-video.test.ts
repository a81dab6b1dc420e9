import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createEncodeChunk } from '../../../src/activities/videos/encode-chunk.js';
import { createSplitChunk } from '../../../src/activities/videos/split-chunk.js';
import { createSplitVideo } from '../../../src/activities/videos/split-video.js';
import { createStitchVideo } from '../../../src/activities/videos/stitch-video.js';
import { type Comparison, createMedia } from '../../../src/media/media.js';
import { framesBlob } from '../../../src/container-contract/places.js';
import { COMPARISON, jobOf, workOf } from '../../../src/job-store/layout.js';
import { storeFrames } from '../../../src/job-store/videos/frames.js';
import { readVideoJob } from '../../../src/job-store/resolved-job.js';
import { JobError } from '../../../src/job/failure.js';
import { readBytes, readJson } from '../../../src/storage/storage.js';
import { openAzurite } from '../../support/storage.js';
import { tools } from '../../support/clip.js';
import { splitWhole } from '../../support/media.js';
import { hasSharedData, sharedData } from '../../support/shared-data.js';
import { frameVersions, giveUpItems, prepareVideoJob } from '../../support/video-job.js';

const connection = inject('storage');
const storage = openAzurite(connection);
const media = createMedia(tools);
const folder = mkdtempSync(path.join(os.tmpdir(), 'damaged-video-'));
const whole = path.join(folder, 'whole.mp4');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(() => {
  const inputs = '-f lavfi -i testsrc2=size=96x64:rate=25:duration=4 -f lavfi -i sine=duration=4'.split(' ');
  const encode = '-c:v libx264 -g 10 -pix_fmt yuv420p -c:a aac -movflags +faststart'.split(' ');
  execFileSync(tools.ffmpeg, ['-loglevel', 'error', ...inputs, ...encode, whole]);
});

/** The whole video, cut off or overwritten from the middle on. */
function spoil(how: 'cut off' | 'overwritten'): string {
  const file = path.join(folder, `${how}.mp4`);
  const bytes = readFileSync(whole);
  const middle = Math.floor(bytes.length / 2);
  if (how === 'overwritten') bytes.fill(0xa5, middle, middle + 4000);
  writeFileSync(file, how === 'overwritten' ? bytes : bytes.subarray(0, middle));
  return file;
}

/** Takes the video through split and stitch, in chunks of 10 frames where it can be cut; scored frames are the frames themselves. */
async function process(clip: string, jobId: string) {
  const ports = { storage, media, tempFolder: folder, chunkFrames: 10 };
  const output = { video: `outbox/${jobId}.mkv`, codec: 'ffv1' };
  const chunks = await prepareVideoJob({ ...ports, clip }, jobId, { output, onDamage: 'keep' });
  if (chunks > 1) for (let chunk = 0; chunk < chunks; chunk += 1) await createSplitChunk(ports)({ jobId, chunk });
  const split = await createSplitVideo(ports)({ jobId, chunks });
  await giveUpItems(storage, jobId, [...Array(split.frames).keys()]);
  const input = { jobId, frames: split.frames, chunkFrames: 10 };
  for (let chunk = 0; chunk * 10 < split.frames; chunk += 1) await createEncodeChunk(ports)({ ...input, chunk });
  await createStitchVideo(ports)(input);
  const stitched = path.join(folder, `${jobId}.mkv`);
  await storage.media.getContainerClient('outbox').getBlobClient(`${jobId}.mkv`).downloadToFile(stitched);
  const comparison = await readJson<Comparison>(jobOf(storage, jobId), COMPARISON);
  return { ...split, chunks, stitched, comparison };
}

describe('a long video that breaks half-way, of a job that keeps what is good', () => {
  test.each([
    ['cut off', 'is seen before it is split', false],
    ['overwritten', 'is seen while its chunks are split', true],
  ] as const)('%s, which %s, gives each frame before the break once', async (how, _, inChunks) => {
    const jobId = `broken-${how.replace(' ', '-')}`;
    const { frames, warnings, chunks, stitched, comparison } = await process(spoil(how), jobId);
    expect(chunks > 5).toBe(inChunks);
    expect(frames).toBeGreaterThan(20);
    expect(frames).toBeLessThan(90);
    expect(warnings).toEqual([
      expect.stringMatching(new RegExp(`^inbox/${jobId}\\.mp4 is damaged.* ${frames} frames`)),
    ]);
    expect(comparison).toMatchObject({ frames: { expected: frames, found: frames }, brokenSource: true, problems: [] });
    const [good, shown] = await Promise.all(
      [whole, stitched].map(async (file) => (await splitWhole(media, file)).frames),
    );
    expect(shown).toHaveLength(frames);
    // The last one may be the one that broke.
    for (let index = 0; index < frames - 1; index += 1) {
      const frame = await readBytes(workOf(storage, jobId), framesBlob(index, 1, 'ppm'));
      expect(frame?.equals(good?.[index] ?? Buffer.alloc(0)), `frame ${index}`).toBe(true);
    }
  });

  test.skipIf(!hasSharedData)('truncated.webm gives the frames that a player shows', async () => {
    const { frames, stitched, comparison } = await process(sharedData('bad', 'truncated.webm'), 'broken-webm');
    const names = [...(await frameVersions(storage, 'broken-webm')).keys()];
    expect(names).toEqual(Array.from({ length: frames }, (_, index) => framesBlob(index, 1, 'ppm')));
    expect(comparison).toMatchObject({ frames: { expected: frames, found: frames }, brokenSource: true, problems: [] });
    expect((await media.probe(stitched)).framesEstimate).toBe(frames);
  });

  test.skipIf(!hasSharedData).each([
    ['audio-only.mp4', /holds only sound/],
    ['empty.mp4', /is empty/],
    ['random-bytes.mp4', /is not a video that can be read/],
    ['text.mp4', /is not a video that can be read/],
    ['truncated-moov-missing.mp4', /lacks its index/],
  ])('%s has nothing to keep and is refused', async (name, sentence) => {
    await expect(media.probe(sharedData('bad', name), { keep: true })).rejects.toThrow(sentence);
  });
});

test('an error after the last frame is not lost when all frames before it are stored already', async () => {
  const jobId = 'broken-behind-stored';
  const output = { video: `outbox/${jobId}.mkv`, codec: 'ffv1' };
  await prepareVideoJob({ storage, media, clip: whole, chunkFrames: 1000 }, jobId, { output });
  const [frame = Buffer.alloc(0)] = (await splitWhole(media, whole)).frames;
  async function* breaking() {
    for (let index = 0; index < 3; index += 1) yield frame;
    await expect.poll(async () => (await frameVersions(storage, jobId)).size).toBe(3);
    throw new JobError('platform', 'ffmpeg was stopped by SIGKILL.');
  }
  const stored = storeFrames(storage, await readVideoJob(storage, jobId), breaking(), { first: 0, keep: 'all' });
  await expect(stored).rejects.toThrow(/SIGKILL/);
});
