import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseSpec } from '../../../src/job/spec.js';
import { framesBlob, scoredPart } from '../../../src/container-contract/places.js';
import { shelveManifest } from '../../../src/job-store/earlier-runs.js';
import { jobOf, MANIFEST, TIMING, workOf } from '../../../src/job-store/layout.js';
import { beginRun } from '../../../src/job-store/stop.js';
import { readJson, readText } from '../../../src/storage/storage.js';
import { FRAMES, MODEL, scoredFrames, useWorld, VIDEO } from '../../support/chaos/world.js';
import { type Deliver, runJob } from '../../support/in-process.js';
import { storedItems } from '../../support/stored-items.js';

const world = useWorld();
const BATCH = FRAMES / 2;

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
    const spec = {
      input: { video: VIDEO },
      model: MODEL,
      output: { keepFrames: true },
      compute: { kind: 'aci' },
      batch: { size: BATCH, maxParallel: 2, pack: BATCH },
    };
    await runJob({ jobId, spec: parseSpec(JSON.stringify(spec)) }, deliver);
    expect(await readJson(jobOf(world.storage, jobId), MANIFEST)).toMatchObject({ outcome: 'done' });
    expect(launched.toSorted((one, other) => one - other)).toEqual([0, 1, 1]);
    expect(scored.size).toBe(FRAMES);
    expect(await scoredFrames(jobId)).toEqual(scored);
    expect(await readText(jobOf(world.storage, jobId), TIMING)).toBe(times);
  },
);

test(
  'frames that are damaged or gone before they are scored fail the job, and are split again when it is started once more',
  { timeout: 400_000 },
  async () => {
    const jobId = `harmed-${Date.now().toString(36)}`;
    const work = workOf(world.storage, jobId);
    const PACK = 2;
    const blobOf = (index: number) => work.getBlockBlobClient(framesBlob(index, PACK, 'ppm'));
    const framesNow = async () =>
      [...(await storedItems(work, 'frames/'))].map(([index, bytes]) => [
        index,
        createHash('md5').update(bytes).digest('hex'),
      ]);
    const harm = async (index: number, change: (bytes: Buffer) => Buffer) => {
      const bytes = change(await blobOf(index).downloadToBuffer());
      await blobOf(index).upload(bytes, bytes.length);
    };
    const host = world.newHost('harmed');
    let whole: unknown;
    const deliver: Deliver = async (name, input) => {
      if (name === 'launchBatch' && whole === undefined) {
        whole = await framesNow();
        await harm(0, (bytes) => bytes.fill((bytes[100] ?? 0) ^ 1, 100, 101));
        await harm(PACK, (bytes) => bytes.subarray(0, bytes.length / 2));
        await harm(2 * PACK, () => Buffer.alloc(0));
        await blobOf(3 * PACK).delete();
      }
      return host(name, input);
    };
    const spec = parseSpec(
      JSON.stringify({
        input: { video: VIDEO },
        model: MODEL,
        output: { keepFrames: true },
        compute: { kind: 'aci' },
        batch: { size: FRAMES, pack: PACK },
      }),
    );
    await expect(runJob({ jobId, spec }, deliver)).rejects.toThrow(/could not be scored.* the pack frames/);

    const next = { jobId, run: 2, spec, firstBatch: 1 };
    await beginRun(world.storage, jobId, { run: 2, begun: new Date().toISOString(), input: next });
    await shelveManifest(world.storage, jobId);
    await runJob(next, deliver);
    expect(await readJson(jobOf(world.storage, jobId), MANIFEST)).toMatchObject({ outcome: 'done', run: 2 });
    expect(await framesNow()).toEqual(whole);
    expect((await scoredFrames(jobId)).size).toBe(FRAMES);
  },
);
