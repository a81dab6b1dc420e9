import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createEncodeChunk } from '../../../src/activities/videos/encode-chunk.js';
import { missingInput } from '../../../src/job-store/inputs.js';
import { localCopy } from '../../../src/job-store/local-copy.js';
import { createMendFrames } from '../../../src/activities/videos/mend-frames.js';
import { createSplitChunk } from '../../../src/activities/videos/split-chunk.js';
import { createSplitVideo } from '../../../src/activities/videos/split-video.js';
import { createStitchVideo } from '../../../src/activities/videos/stitch-video.js';
import { type Comparison, createMedia, type PackedTimetable } from '../../../src/media/media.js';
import { framesBlob } from '../../../src/container-contract/places.js';
import {
  COMPARISON,
  jobOf,
  mediaBlob,
  resultBlob,
  segmentBlob,
  TIMING,
  workOf,
} from '../../../src/job-store/layout.js';
import { bareEtag } from '../../../src/job/inbox/media-event.js';
import { readVideoJob, writeResolvedJob } from '../../../src/job-store/resolved-job.js';
import { removeDamagedFrames } from '../../../src/job-store/videos/frames.js';
import { countMended } from '../../../src/job-store/videos/mended.js';
import { readSplitChunks, writeChunkTimes, writeSplitChunks } from '../../../src/job-store/videos/video-timing.js';
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

  describe('of which packs of frames are lost', () => {
    const PACK = 5;
    const BATCH = 40;

    async function split(jobId: string, pack = PACK, frameFormat = 'ppm') {
      const pieces = await prepareVideoJob({ ...ports, clip, pack }, jobId, {
        output: { video: `outbox/${jobId}.mkv`, codec: 'ffv1', frameFormat },
      });
      expect(pieces).toBeGreaterThan(2);
      await splitInChunks(jobId, pieces);
      return pieces;
    }

    /** As if scorers had not found these frames, in the last attempts of their batches. */
    async function loseFrames(jobId: string, frames: number[], attempt = 1) {
      const { pack, spec } = await readVideoJob(storage, jobId);
      for (const index of frames)
        await workOf(storage, jobId)
          .getBlockBlobClient(framesBlob(index, pack, spec.output.frameFormat))
          .upload('', 0);
      for (const batch of [0, 1]) {
        const lost = frames.filter((index) => Math.floor(index / BATCH) === batch);
        const result = { jobId, batch, attempt, done: [], skipped: [], failed: [], lost };
        await writeJson(jobOf(storage, jobId), resultBlob(batch, attempt), result);
      }
    }

    const mend = (jobId: string, batch: number, attempt = 1) =>
      createMendFrames(ports)({ jobId, batch, first: batch * BATCH, count: BATCH, attempt });

    /** @returns the blobs that have been written meanwhile. */
    async function writtenBy(jobId: string, work: () => Promise<unknown>): Promise<string[]> {
      const before = await versions(jobId);
      await work();
      return [...(await versions(jobId))]
        .filter(([blob, version]) => before.get(blob) !== version)
        .map(([blob]) => blob);
    }

    const blobs = (...indices: number[]) => indices.map((index) => framesBlob(index, PACK, 'ppm'));

    test('has them split again, and no others', async () => {
      const jobId = 'harmed';
      await split(jobId);
      const frames = await storedItems(workOf(storage, jobId), 'frames/');
      const written = await writtenBy(jobId, async () => {
        await loseFrames(jobId, [30, 31]);
        expect(await mend(jobId, 0)).toEqual({});
      });
      expect(written).toEqual(blobs(30));
      expect(await storedItems(workOf(storage, jobId), 'frames/')).toEqual(frames);
      expect(await countMended(storage, jobId)).toBe(PACK);
    });

    test('has those of two batches split again that are lost at the same moment', async () => {
      const jobId = 'harmed-twice';
      await split(jobId);
      const frames = await storedItems(workOf(storage, jobId), 'frames/');
      await loseFrames(jobId, [5, 36, 41, 74]);
      expect(await Promise.all([mend(jobId, 0), mend(jobId, 1)])).toEqual([{}, {}]);
      expect(await storedItems(workOf(storage, jobId), 'frames/')).toEqual(frames);
      expect(await countMended(storage, jobId)).toBe(4 * PACK);
    });

    test('says that storage loses them, once they are lost after that, and not when the same call is repeated', async () => {
      const jobId = 'harmed-again';
      await split(jobId);
      await loseFrames(jobId, [30]);
      expect(await mend(jobId, 0)).toEqual({});
      await loseFrames(jobId, [30]);
      expect(await mend(jobId, 0)).toEqual({});
      await loseFrames(jobId, [30], 2);
      expect(await mend(jobId, 0, 2)).toEqual({ lostAgain: expect.stringContaining('frames/0000030.zip twice') });
    });

    test.each(['ppm', 'png', 'jpg'])(
      'does not say so of frames that were split again and have not been looked at since, each a file of its own, as %s',
      async (format) => {
        const jobId = `harmed-${format}`;
        await split(jobId, 1, format);
        const frames = await storedItems(workOf(storage, jobId), 'frames/');
        await loseFrames(jobId, [30]);
        expect(await mend(jobId, 0)).toEqual({});
        await loseFrames(jobId, [31], 2);
        expect(await mend(jobId, 0, 2)).toEqual({});
        expect(await storedItems(workOf(storage, jobId), 'frames/')).toEqual(frames);
        expect(await countMended(storage, jobId)).toBe(2);
        await loseFrames(jobId, [30], 3);
        expect(await mend(jobId, 0, 3)).toEqual({ lostAgain: expect.stringContaining(`0000030.${format} twice`) });
      },
    );

    test('has them as the split of the whole video has made them, where its chunks were not as expected', async () => {
      const jobId = 'harmed-whole';
      const pieces = await split(jobId);
      const frames = await storedItems(workOf(storage, jobId), 'frames/');
      // As if the second chunk had lost a frame, so that those of the others have other numbers.
      await writeChunkTimes(storage, jobId, 1, []);
      const chunksBefore = (await readSplitChunks(storage, jobId)).map((chunk) => ({ ...chunk }));
      const shifted = chunksBefore.map((chunk, k) =>
        k === 3 ? { ...chunk, from: chunk.from === null ? null : chunk.from - 0.2 } : chunk,
      );
      await writeSplitChunks(storage, jobId, shifted);
      const written = await writtenBy(jobId, async () => {
        await loseFrames(jobId, [70]);
        expect(await mend(jobId, 1)).toEqual({});
      });
      expect(written).toEqual(blobs(70));
      await splitInChunks(jobId, pieces);
      expect(await storedItems(workOf(storage, jobId), 'frames/')).toEqual(frames);
    });

    test('has no frames of another video, where that has taken its place', async () => {
      const jobId = 'harmed-replaced';
      await split(jobId);
      const video = mediaBlob(storage, `inbox/${jobId}.mp4`);
      const { etag = '', contentLength: bytes = 0 } = await video.getProperties();
      const same = { etag: '', bytes: 0 };
      const made = { model: same, card: '', video: { etag: bareEtag(etag), bytes } };
      await writeResolvedJob(storage, { ...(await readVideoJob(storage, jobId)), made });
      await loseFrames(jobId, [30]);
      await video.uploadFile(clip);
      const elsewhere = mkdtempSync(path.join(tempFolder, 'elsewhere-'));
      const input = { jobId, batch: 0, first: 0, count: BATCH, attempt: 1 };
      await expect(createMendFrames({ ...ports, tempFolder: elsewhere })(input)).rejects.toMatchObject({
        blame: 'user',
        message: `inbox/${jobId}.mp4 was replaced before its job had read it.`,
      });
    });

    test('has those split again that are gone when the job is started once more', async () => {
      const jobId = 'harmed-run';
      const pieces = await split(jobId);
      const frames = await storedItems(workOf(storage, jobId), 'frames/');
      const written = await writtenBy(jobId, async () => {
        await loseFrames(jobId, [30]);
        expect(await removeDamagedFrames(storage, await readVideoJob(storage, jobId), [2, 30, 31])).toEqual([30]);
        await splitInChunks(jobId, pieces);
      });
      expect(written).toEqual(blobs(30));
      expect(await storedItems(workOf(storage, jobId), 'frames/')).toEqual(frames);
    });
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
