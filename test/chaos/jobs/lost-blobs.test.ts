import { expect, test } from 'vitest';
import { parseSpec } from '../../../src/job/spec.js';
import { scoredPart } from '../../../src/container-contract/places.js';
import { jobOf, MANIFEST, TIMING, workOf } from '../../../src/job-store/layout.js';
import { readJson, readText } from '../../../src/storage/storage.js';
import { FRAMES, MODEL, scoredFrames, useWorld, VIDEO } from '../../support/chaos/world.js';
import { type Deliver, runJob } from '../../support/in-process.js';

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
