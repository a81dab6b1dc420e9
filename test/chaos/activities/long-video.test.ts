import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createEncodeChunk } from '../../../src/activities/videos/encode-chunk.js';
import { missingInput } from '../../../src/job-store/inputs.js';
import { localCopy } from '../../../src/job-store/local-copy.js';
import { createSplitChunk } from '../../../src/activities/videos/split-chunk.js';
import { createSplitVideo } from '../../../src/activities/videos/split-video.js';
import { createStitchVideo } from '../../../src/activities/videos/stitch-video.js';
import { type Comparison, createMedia, type PackedTimetable } from '../../../src/media/media.js';
import { framesBlob, itemName } from '../../../src/container-contract/places.js';
import { COMPARISON, jobOf, mediaBlob, segmentBlob, TIMING, workOf } from '../../../src/job-store/layout.js';
import { writeFailedItems } from '../../../src/job-store/manifest.js';
import { readVideoJob } from '../../../src/job-store/resolved-job.js';
import { removeDamagedFrames } from '../../../src/job-store/videos/frames.js';
import { readJson, writeJson } from '../../../src/storage/storage.js';
import { openAzurite } from '../../support/storage.js';
import { tools } from '../../support/clip.js';
import { decodeRgb } from '../../support/media.js';
import { storedItems } from '../../support/stored-items.js';
import { frameVersions, giveUpItems, prepareVideoJob } from '../../support/video-job.js';

const connection = inject('storage');
const storage = openAzurite(connection);
const media = createMedia(tools);
const tempFolder = mkdtempSync(path.join(os.tmpdir(), 'long-video-'));
const ports = { storage, media, tempFolder, chunkFrames: 20 };
const clip = path.join(tempFolder, 'clip.mp4');
const FRAMES = 75;

afterAll(() => rmSync(tempFolder, { recursive: true, force: true }));

const prepare = (jobId: string) =>
  prepareVideoJob({ ...ports, clip }, jobId, { output: { video: `outbox/${jobId}.mkv`, codec: 'ffv1' } });
const versions = (jobId: string) => frameVersions(storage, jobId);

async function splitInChunks(jobId: string, chunks: number) {
  await Promise.all(Array.from({ length: chunks }, (_, chunk) => createSplitChunk(ports)({ jobId, chunk })));
  return createSplitVideo(ports)({ jobId, chunks });
}

const timing = (jobId: string) => readJson<{ timetable: PackedTimetable }>(jobOf(storage, jobId), TIMING);

beforeAll(() => {
  const pictures = `testsrc2=size=64x48:rate=25:duration=${FRAMES / 25}`;
  const sound = ['-f', 'lavfi', '-i', 'sine=duration=3', '-c:a', 'aac'];
  const keys = ['-c:v', 'libx264', '-g', '10', '-bf', '2', '-pix_fmt', 'yuv420p'];
  execFileSync(tools.ffmpeg, ['-loglevel', 'error', '-f', 'lavfi', '-i', pictures, ...sound, ...keys, clip]);
});

describe('a split that was killed half-way', () => {
  test('goes on without uploading again what is there', async () => {
    await prepare('killed-whole');
    await createSplitVideo(ports)({ jobId: 'killed-whole', chunks: 1 });
    const before = await versions('killed-whole');
    for (const index of [3, 60, 74]) await workOf(storage, 'killed-whole').deleteBlob(framesBlob(index, 1, 'ppm'));
    expect(await createSplitVideo(ports)({ jobId: 'killed-whole', chunks: 1 })).toMatchObject({ frames: FRAMES });
    const after = await versions('killed-whole');
    const again = [...after].filter(([name, version]) => before.get(name) !== version).map(([name]) => name);
    expect(again).toEqual([3, 60, 74].map((index) => framesBlob(index, 1, 'ppm')));
    expect(after.size).toBe(FRAMES);
  });
});

describe('a video in chunks', () => {
  let chunks = 0;
  let output = '';

  beforeAll(async () => {
    chunks = await prepare('chunked');
    await splitInChunks('chunked', chunks);
  });

  test('has the frames and the times that it has as a whole', async () => {
    expect(chunks).toBe(4);
    await prepare('whole');
    await createSplitVideo(ports)({ jobId: 'whole', chunks: 1 });
    expect(await timing('chunked')).toEqual(await timing('whole'));
    expect([...(await versions('chunked')).keys()]).toEqual([...(await versions('whole')).keys()]);
  });

  test('has a pack of frames that could not be read split again, and no other', async () => {
    const jobId = 'harmed';
    const [PACK, INDEX] = [5, 30];
    const several = await prepareVideoJob({ ...ports, clip, pack: PACK }, jobId, {
      output: { video: `outbox/${jobId}.mkv`, codec: 'ffv1' },
    });
    expect(several).toBeGreaterThan(1);
    await splitInChunks(jobId, several);
    const frames = await storedItems(workOf(storage, jobId), 'frames/');
    const before = await versions(jobId);
    const name = framesBlob(INDEX, PACK, 'ppm');
    await workOf(storage, jobId).getBlockBlobClient(name).upload('', 0);
    const failed = [INDEX + 1, 2].map((frame) => ({
      name: itemName(frame),
      frame,
      reason: 'it could not be scored',
      blame: 'item' as const,
      batch: 0,
      attempt: 1,
    }));
    await writeFailedItems(storage, jobId, () => Readable.from(failed));

    await removeDamagedFrames(storage, await readVideoJob(storage, jobId));
    await splitInChunks(jobId, several);
    expect(await storedItems(workOf(storage, jobId), 'frames/')).toEqual(frames);
    const again = [...(await versions(jobId))].filter(([blob, version]) => before.get(blob) !== version);
    expect(again.map(([blob]) => blob)).toEqual([name]);
  });

  test('is fetched whole, however many chunks ask for it at the same moment', async () => {
    const shared = path.join(tempFolder, 'shared');
    const fetch = () =>
      localCopy(mediaBlob(storage, 'inbox/chunked.mp4'), shared, 'source', missingInput('video', 'chunked.mp4'));
    const copies = await Promise.all(Array.from({ length: 40 }, fetch));
    expect(new Set(copies)).toEqual(new Set([path.join(shared, 'source')]));
    expect(readdirSync(shared)).toEqual(['source']);
    expect(readFileSync(path.join(shared, 'source')).equals(readFileSync(clip))).toBe(true);
  });

  test('is not split again when it is there', async () => {
    const before = await versions('chunked');
    expect(await splitInChunks('chunked', chunks)).toMatchObject({ frames: FRAMES });
    expect(await versions('chunked')).toEqual(before);
  });

  test('is not put together while a scored frame is missing that no batch has ended without', async () => {
    await giveUpItems(storage, 'chunked', [...Array(FRAMES - 1).keys()]);
    const encode = createEncodeChunk(ports)({ jobId: 'chunked', chunk: 3 });
    await expect(encode).rejects.toMatchObject({ blame: 'item', message: /scored\/0000074\.ppm is gone/ });
    const stitch = createStitchVideo(ports)({ jobId: 'chunked' });
    await expect(stitch).rejects.toMatchObject({ blame: 'item', message: /is gone/ });
  });

  test('is stitched from segments into every frame of the source, with its sound, and says so', async () => {
    const input = { jobId: 'chunked' };
    await giveUpItems(storage, input.jobId, [...Array(FRAMES).keys()]);
    // Each delivered twice at once, as can happen when a host is slow to answer.
    for (const chunk of [3, 1, 0, 2]) {
      const encode = () => createEncodeChunk(ports)({ ...input, chunk });
      await Promise.all([encode(), encode()]);
    }
    const results = await Promise.all([createStitchVideo(ports)(input), createStitchVideo(ports)(input)]);
    for (const result of results) expect(result).toMatchObject({ output: 'outbox/chunked.mkv' });
    expect(await readJson<Comparison>(jobOf(storage, 'chunked'), COMPARISON)).toMatchObject({
      frames: { expected: FRAMES, found: FRAMES },
      sound: [{ sameData: true }],
      problems: [],
    });
    output = path.join(tempFolder, 'output.mkv');
    await storage.media.getContainerClient('outbox').getBlobClient('chunked.mkv').downloadToFile(output);
    const build = { name: 'found', tools, media };
    const filter = 'scale=flags=neighbor,format=yuv444p,zscale=min=470bg:rin=limited:m=gbr:r=full,format=gbrp';
    expect(decodeRgb(build, output).equals(decodeRgb(build, clip, filter))).toBe(true);
  });

  test('does not encode a segment again that is there', async () => {
    const segment = workOf(storage, 'chunked').getBlobClient(segmentBlob(1));
    const before = (await segment.getProperties()).etag;
    await createEncodeChunk(ports)({ jobId: 'chunked', chunk: 1 });
    expect((await segment.getProperties()).etag).toBe(before);
  });

  test('is split as a whole when a chunk has other frames than its packets promise', async () => {
    const many = await prepare('odd');
    await createSplitChunk(ports)({ jobId: 'odd', chunk: 0 });
    const job = jobOf(storage, 'odd');
    const plan = (await readJson<{ count: number }[]>(job, 'chunks.json')) ?? [];
    await writeJson(
      job,
      'chunks.json',
      plan.map((chunk) => ({ ...chunk, count: chunk.count + 1 })),
    );
    expect(await splitInChunks('odd', many)).toMatchObject({ frames: FRAMES });
    expect(await timing('odd')).toEqual(await timing('chunked'));
  });
});
