import { createHash } from 'node:crypto';
import type { BlockBlobClient } from '@azure/storage-blob';
import { describe, expect, test } from 'vitest';
import { parseSpec } from '../../../src/job/spec.js';
import { framesBlob, scoredPart } from '../../../src/container-contract/places.js';
import { shelveManifest } from '../../../src/job-store/earlier-runs.js';
import { jobOf, MANIFEST, mediaBlob, modelBlob, modelsOf, TIMING, workOf } from '../../../src/job-store/layout.js';
import type { Manifest } from '../../../src/job-store/manifest.js';
import { readNow } from '../../../src/job-store/now.js';
import { beginRun } from '../../../src/job-store/stop.js';
import { readJson, readText } from '../../../src/storage/storage.js';
import { FRAMES, MODEL, scoredFrames, useWorld, VIDEO } from '../../support/chaos/world.js';
import { type Deliver, runJob } from '../../support/in-process.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';
import { storedItems } from '../../support/stored-items.js';
import { frameVersions } from '../../support/video-job.js';

const world = useWorld();
const BATCH = FRAMES / 2;

const PACK_PER_BATCH = parseSpec(
  JSON.stringify({
    input: { video: VIDEO },
    model: MODEL,
    output: { keepFrames: true },
    compute: { kind: 'aci' },
    batch: { size: BATCH, maxParallel: 2, pack: BATCH },
  }),
);

test(
  'what goes away before the video is put together is made again, never replaced or guessed',
  { timeout: 400_000 },
  async () => {
    const jobId = `lost-${Date.now().toString(36)}`;
    const work = workOf(world.storage, jobId);
    const timing = jobOf(world.storage, jobId).getBlockBlobClient(TIMING);
    let scored = new Map<number, string>();
    let times: string | undefined;
    /** What happens right before the first calls of these activities. */
    const strikes: Record<string, () => Promise<unknown>> = {
      findLost: async () => {
        scored = await scoredFrames(jobId);
        times = await readText(jobOf(world.storage, jobId), TIMING);
        await work.getBlobClient(scoredPart({ first: BATCH, last: FRAMES - 1 }, BATCH, 'ppm')).delete();
      },
      stitchVideo: () => timing.upload('{}', 2),
    };
    const host = world.newHost('lost');
    const launched: number[] = [];
    const deliver: Deliver = async (name, input) => {
      const strike = strikes[name];
      Reflect.deleteProperty(strikes, name);
      await strike?.();
      if (name === 'launchBatch') launched.push((input as { batch: number }).batch);
      return host(name, input);
    };
    await runJob({ jobId, spec: PACK_PER_BATCH }, deliver);
    expect(await readJson(jobOf(world.storage, jobId), MANIFEST)).toMatchObject({
      outcome: 'done',
      warnings: [
        '4 scored frames were gone from storage, or damaged there, before the result was made, and were scored again.',
        expect.stringMatching(/^The timetable of job lost-.* is damaged\. It was made again\.$/),
      ],
    });
    expect(launched.toSorted((one, other) => one - other)).toEqual([0, 1, 1]);
    expect(scored.size).toBe(FRAMES);
    expect(await scoredFrames(jobId)).toEqual(scored);
    expect(await readText(jobOf(world.storage, jobId), TIMING)).toBe(times);
  },
);

describe('frames that are damaged or gone before they are scored', () => {
  const PACK = 2;
  const spec = {
    ...PACK_PER_BATCH,
    retry: { ...PACK_PER_BATCH.retry, maxAttempts: 1 },
    batch: { ...PACK_PER_BATCH.batch, pack: PACK },
  };
  const blobOf = (jobId: string, index: number) =>
    workOf(world.storage, jobId).getBlockBlobClient(framesBlob(index, PACK, 'ppm'));
  const sumsOf = async (jobId: string) =>
    [...(await storedItems(workOf(world.storage, jobId), 'frames/'))].map(([index, bytes]) => [
      index,
      createHash('md5').update(bytes).digest('hex'),
    ]);
  const cut = async (blob: BlockBlobClient) => {
    const bytes = await blob.downloadToBuffer();
    await blob.upload(bytes.subarray(0, bytes.length / 2), bytes.length / 2);
  };

  /** Holds the first mend back until both batches have looked for their frames: one would find what was split again for the other. */
  const onceBothHaveLooked = () => {
    const looked = new Set<number>();
    let release = (): void => undefined;
    const both = new Promise<void>((resolve) => (release = resolve));
    return async (input: unknown) => {
      looked.add((input as { batch: number }).batch);
      if (looked.size === 2) release();
      await both;
    };
  };

  test('are split again while the job runs, and nothing else is', { timeout: 400_000 }, async () => {
    const jobId = `harmed-${Date.now().toString(36)}`;
    const host = world.newHost('harmed');
    let sums: unknown;
    let versions = new Map<string, string>();
    const launched = new Set<string>();
    const seen: string[] = [];
    const bothHaveLooked = onceBothHaveLooked();
    const deliver: Deliver = async (name, input) => {
      if (name === 'mendFrames') await bothHaveLooked(input);
      if (name === 'launchBatch') {
        const { batch, attempt } = input as { batch: number; attempt: number };
        launched.add(`${batch}-${attempt}`);
        if (sums === undefined) {
          sums = await sumsOf(jobId);
          await cut(blobOf(jobId, 0));
          const flipped = await blobOf(jobId, PACK).downloadToBuffer();
          flipped[100] = (flipped[100] ?? 0) ^ 1;
          await blobOf(jobId, PACK).upload(flipped, flipped.length);
          await blobOf(jobId, BATCH).delete();
          versions = await frameVersions(world.storage, jobId);
        }
      }
      const answer = await host(name, input);
      if (name === 'mendFrames') {
        const now = await readNow(world.storage, jobId);
        seen.push(...now.waiting.map(({ reason }) => reason));
      }
      return answer;
    };
    await runJob({ jobId, spec }, deliver);
    const manifest = await readJson<Manifest>(jobOf(world.storage, jobId), MANIFEST);
    expect(manifest).toMatchObject({
      outcome: 'done',
      totals: { done: FRAMES, failed: 0, attempts: 4 },
      warnings: [
        '6 frames were gone from storage, or damaged there, before being scored, and were split from the video again.',
      ],
    });
    expect([...launched].toSorted()).toEqual(['0-1', '0-2', '1-1', '1-2']);
    expect(seen).toContainEqual(
      expect.stringMatching(/^4 frames are gone from storage or damaged there: the pack frames\/0000000\.zip/),
    );
    expect(await sumsOf(jobId)).toEqual(sums);
    expect((await scoredFrames(jobId)).size).toBe(FRAMES);
    const changed = [...(await frameVersions(world.storage, jobId))].filter(
      ([blob, etag]) => versions.get(blob) !== etag,
    );
    expect(changed.map(([blob]) => blob)).toEqual([0, PACK, BATCH].map((index) => framesBlob(index, PACK, 'ppm')));
  });

  test.each(['png', 'jpg'])(
    'are split again while the job runs, and nothing else is, where each is a file of its own, as %s',
    { timeout: 400_000 },
    async (format) => {
      const jobId = `harmed-${format}-${Date.now().toString(36)}`;
      const host = world.newHost(`harmed${format}`);
      const work = workOf(world.storage, jobId);
      const single = (index: number) => work.getBlockBlobClient(framesBlob(index, 1, format));
      let sums: unknown;
      let versions = new Map<string, string>();
      const bothHaveLooked = onceBothHaveLooked();
      const deliver: Deliver = async (name, input) => {
        if (name === 'mendFrames') await bothHaveLooked(input);
        if (name === 'launchBatch' && sums === undefined) {
          sums = await sumsOf(jobId);
          await cut(single(1));
          await single(2).upload('what is this', 12);
          await single(BATCH).upload('', 0);
          await single(BATCH + 1).delete();
          versions = await frameVersions(world.storage, jobId);
        }
        return host(name, input);
      };
      const singles = {
        ...spec,
        output: { ...spec.output, frameFormat: format },
        batch: { ...spec.batch, pack: 1 },
      };
      await runJob({ jobId, spec: singles }, deliver);
      expect(await readJson<Manifest>(jobOf(world.storage, jobId), MANIFEST)).toMatchObject({
        outcome: 'done',
        totals: { done: FRAMES, failed: 0, attempts: 4 },
        warnings: [
          '4 frames were gone from storage, or damaged there, before being scored, and were split from the video again.',
        ],
      });
      expect(await sumsOf(jobId)).toEqual(sums);
      const changed = [...(await frameVersions(world.storage, jobId))].filter(
        ([blob, etag]) => versions.get(blob) !== etag,
      );
      expect(changed.map(([blob]) => blob)).toEqual(
        [1, 2, BATCH, BATCH + 1].map((index) => framesBlob(index, 1, format)),
      );
    },
  );

  test(
    'fail the job when storage loses them again, which is not the mistake of its user, and are split once more in its next run',
    { timeout: 400_000 },
    async () => {
      const jobId = `harmed-again-${Date.now().toString(36)}`;
      const host = world.newHost('harmedagain');
      const deliver: Deliver = async (name, input) => {
        if (name === 'launchBatch' && (input as { batch: number }).batch === 0) await cut(blobOf(jobId, 0));
        return host(name, input);
      };
      await expect(runJob({ jobId, spec }, deliver)).rejects.toThrow(
        /^Storage has lost or damaged work-harmed-again.*\/frames\/0000000\.zip twice/,
      );
      expect(await readJson(jobOf(world.storage, jobId), MANIFEST)).toMatchObject({
        outcome: 'failed',
        blame: 'platform',
      });

      const next = { jobId, run: 2, spec, firstBatch: 2 };
      await beginRun(world.storage, jobId, { run: 2, begun: new Date().toISOString(), input: next });
      await shelveManifest(world.storage, jobId);
      await runJob(next, host);
      expect(await readJson(jobOf(world.storage, jobId), MANIFEST)).toMatchObject({ outcome: 'done', run: 2 });
      expect((await scoredFrames(jobId)).size).toBe(FRAMES);
    },
  );

  test('end the job with its own sentence when their video is gone, too', { timeout: 400_000 }, async () => {
    const jobId = `harmed-twice-${Date.now().toString(36)}`;
    const own = 'inbox/chaos-short-lived.mp4';
    const bytes = await mediaBlob(world.storage, VIDEO).downloadToBuffer();
    await mediaBlob(world.storage, own).upload(bytes, bytes.length);
    const [host, other] = [world.newHost('harmedtwice'), world.newHost('harmedtwice')];
    const deliver: Deliver = async (name, input) => {
      if (name === 'launchBatch' && (input as { batch: number }).batch === 0) {
        await cut(blobOf(jobId, 0));
        await mediaBlob(world.storage, own).deleteIfExists();
      }
      return (name === 'mendFrames' ? other : host)(name, input);
    };
    await expect(runJob({ jobId, spec: { ...spec, input: { ...spec.input, video: own } } }, deliver)).rejects.toThrow(
      /chaos-short-lived\.mp4/,
    );
    expect(await readJson(jobOf(world.storage, jobId), MANIFEST)).toMatchObject({ outcome: 'failed', blame: 'user' });
  });
});

test.each([
  {
    what: 'scored frames are',
    blob: scoredPart({ first: BATCH, last: FRAMES - 1 }, BATCH, 'ppm'),
    scoredAgain: [1],
    says: /^4 scored frames were gone from storage, or damaged there, before the result was made, and were scored again\.$/,
  },
  {
    what: 'a frame of the contact sheet is',
    blob: framesBlob(0, BATCH, 'ppm'),
    scoredAgain: [],
    says: /frames\/0000000\.zip cannot be read: it is cut off\. It was made again\.$/,
  },
])(
  '$what damaged before the video is put together, and made again, and nothing else is',
  { timeout: 400_000 },
  async ({ blob, scoredAgain, says }) => {
    const jobId = `spoilt-${scoredAgain.length}-${Date.now().toString(36)}`;
    const work = workOf(world.storage, jobId);
    const host = world.newHost('spoilt');
    let before: Map<number, Buffer>[] = [];
    const launched: number[] = [];
    const stored = () => Promise.all([storedItems(work, 'frames/'), storedItems(work, 'scored/')]);
    const deliver: Deliver = async (name, input) => {
      if (name === 'launchBatch') launched.push((input as { batch: number }).batch);
      if (name === 'stitchVideo' && before.length === 0) {
        before = await stored();
        launched.length = 0;
        const bytes = await work.getBlockBlobClient(blob).downloadToBuffer();
        await work.getBlockBlobClient(blob).upload(bytes.subarray(0, bytes.length / 2), bytes.length / 2);
      }
      return host(name, input);
    };
    await runJob({ jobId, spec: PACK_PER_BATCH }, deliver);
    expect(await readJson(jobOf(world.storage, jobId), MANIFEST)).toMatchObject({
      outcome: 'done',
      warnings: [expect.stringMatching(says)],
    });
    expect([...new Set(launched)]).toEqual(scoredAgain);
    expect(await stored()).toEqual(before);
  },
);

test.each([
  {
    what: 'is replaced',
    becomes: tinyModel({ operator: 'Sigmoid', shape: [1, 3, 'height', 'width'] }),
    says: /^The model was replaced/,
  },
  { what: 'goes away', becomes: undefined, says: /^There is no blob for the model file/ },
])(
  'a model that $what while its job runs scores nothing more, and the job says so',
  { timeout: 400_000 },
  async ({ becomes, says }) => {
    const name = 'chaos-passing';
    const blob = modelsOf(world.storage).getBlockBlobClient(modelBlob(name));
    await blob.uploadData(tinyModel({ operator: 'Relu', shape: [1, 3, 'height', 'width'] }));
    const jobId = `model-${becomes ? 'replaced' : 'gone'}-${Date.now().toString(36)}`;
    const host = world.newHost('model');
    const deliver: Deliver = async (activity, input) => {
      if (activity === 'launchBatch' && (input as { batch: number }).batch === 1)
        await (becomes ? blob.uploadData(becomes) : blob.deleteIfExists());
      return host(activity, input);
    };
    const spec = {
      input: { video: VIDEO },
      model: name,
      output: {},
      compute: { kind: 'aci' },
      batch: { size: BATCH, maxParallel: 1 },
    };
    await expect(runJob({ jobId, spec: parseSpec(JSON.stringify(spec)) }, deliver)).rejects.toThrow(says);
    expect(await readJson(jobOf(world.storage, jobId), MANIFEST)).toMatchObject({
      outcome: 'failed',
      blame: 'user',
      totals: { done: BATCH, attempts: 2 },
    });
  },
);
