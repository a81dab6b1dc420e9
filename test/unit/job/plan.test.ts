import { describe, expect, test } from 'vitest';
import { FRAME_FORMATS } from '../../../src/job/items/formats.js';
import {
  batchAt,
  batchesOfLane,
  batchOfItem,
  endOfBatches,
  laneOfBatch,
  choosePack,
  chooseResultPack,
  chunkAt,
  chunkFrames,
  fitFrames,
  PACK_BYTES,
  planBatches,
} from '../../../src/job/plan.js';

describe('a batch plan', () => {
  const counts = [1, 2, 3, 15, 16, 17, 36, 63, 64, 65, 168, 823, 1000, 10_000];
  test.each(counts)('puts each of %i items into exactly one batch of exactly one lane', (items) => {
    for (const size of ['auto', 1, 7, 500] as const) {
      for (const maxParallel of [1, 2, 3, 8, 100]) {
        const plan = planBatches(items, size, maxParallel);
        const batches = Array.from({ length: plan.lanes }, (_, lane) => batchesOfLane(plan, lane)).flat();
        let covered = 0;
        for (const { first, count } of batches.toSorted((a, b) => a.index - b.index)) {
          if (first !== covered || count < 1) throw new Error(`A batch starts at ${first} after ${covered} items.`);
          covered += count;
        }
        expect([covered, batches.length]).toEqual([items, plan.batches]);
        expect(plan.lanes).toBeLessThanOrEqual(maxParallel);
      }
    }
  });

  test('gives no lane more than one batch more than another', () => {
    const plan = planBatches(823, 'auto', 3);
    const lengths = Array.from({ length: plan.lanes }, (_, lane) => batchesOfLane(plan, lane).length);
    expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
  });

  test('starts one container per lane when that is enough', () => {
    expect(planBatches(168, 'auto', 2)).toEqual({ items: 168, size: 84, batches: 2, lanes: 2 });
  });

  test('does not start a container for a handful of frames', () => {
    expect(planBatches(20, 'auto', 8)).toEqual({ items: 20, size: 16, batches: 2, lanes: 2 });
  });

  test('keeps automatic batches at 500 items or fewer', () => {
    expect(planBatches(1_000_000, 'auto', 4).size).toBeLessThanOrEqual(500);
  });

  test('of no items has no batches and no lanes', () => {
    expect(planBatches(0, 'auto', 4)).toEqual({ items: 0, size: 1, batches: 0, lanes: 0 });
  });

  test('has no batch beyond its last', () => {
    const plan = planBatches(10, 5, 2);
    expect(batchAt(plan, 1)).toEqual({ index: 1, first: 5, count: 5 });
    expect(batchAt(plan, 2)).toBeUndefined();
    expect(batchAt(plan, -1)).toBeUndefined();
  });

  test('of a later run have numbers that no earlier batch had', () => {
    const plan = planBatches(25, 10, 2, 1, 7);
    expect([0, 1].flatMap((lane) => batchesOfLane(plan, lane)).map(({ index, first }) => [index, first])).toEqual([
      [7, 0],
      [9, 20],
      [8, 10],
    ]);
    expect(batchAt(plan, 6)).toBeUndefined();
    expect(batchAt(plan, 10)).toBeUndefined();
    expect([endOfBatches(plan), batchOfItem(plan, 19), laneOfBatch(plan, 8)]).toEqual([10, 8, 1]);
  });
});

describe('frames on the disk of this machine', () => {
  const GB = 1e9;

  test('are stored as the job says where they fit', () => {
    for (const format of FRAME_FORMATS) expect(fitFrames(format, 10 * GB, 12 * GB)).toEqual({ format });
    expect(fitFrames('ppm', 10 * GB, Infinity)).toEqual({ format: 'ppm' });
    expect(fitFrames('ppm', 0, 0)).toEqual({ format: 'ppm' });
  });

  test('are stored as PNG where they fit only so, with a warning that gives the numbers', () => {
    const { format, warning } = fitFrames('ppm', 12.4 * GB, 9.1 * GB);
    expect(format).toBe('png');
    expect(warning).toMatch(/would take 12\.4 GB .*9\.1 GB left, so they are stored as PNG.* about 7\.4 GB/);
    expect(fitFrames('png', 12.4 * GB, 9.1 * GB)).toEqual({ format: 'png' });
    expect(fitFrames('ppm', 131e6, 140e6).warning).toMatch(/131 MB .*140 MB left, .* about 79 MB/);
  });

  test('are stored as PNG with another warning where even so they do not fit', () => {
    for (const format of ['ppm', 'png'] as const) {
      const fitted = fitFrames(format, 10 * GB, 2 * GB);
      expect(fitted.format).toBe('png');
      expect(fitted.warning).toMatch(/about 6\.0 GB even as PNG, .*2\.0 GB left: free some space/);
    }
    expect(fitFrames('jpg', 10 * GB, 2 * GB)).toEqual({ format: 'jpg' });
  });
});

describe('a pack', () => {
  const choice = { asked: 'auto', expected: 168, size: 'auto', maxParallel: 2, bytesPerItem: 1 } as const;

  test('is chosen so that batches are whole packs of nearly equal length', () => {
    for (const expected of [1, 2, 15, 16, 17, 63, 64, 65, 97, 168, 823, 1000, 10_000, 1_000_000])
      for (const size of ['auto', 1, 7, 64, 97, 500] as const)
        for (const maxParallel of [1, 2, 3, 8, 100])
          for (const fit of [1, 2, 5, 33, 64, 1000]) {
            const bytesPerItem = PACK_BYTES / fit;
            const pack = choosePack({ ...choice, expected, size, maxParallel, bytesPerItem });
            const asPlanned = planBatches(expected, size, maxParallel);
            const plan = planBatches(expected, size, maxParallel, pack);
            const what = JSON.stringify({ expected, size, maxParallel, fit, pack, plan });
            expect(pack * bytesPerItem, what).toBeLessThanOrEqual(PACK_BYTES);
            expect(pack, what).toBeGreaterThanOrEqual(1);
            expect(pack, what).toBeLessThanOrEqual(64);
            expect(plan.size % pack, what).toBe(0);
            expect(plan.size - asPlanned.size, what).toBeLessThan(Math.ceil(asPlanned.size / pack));
          }
  });

  test('holds one frame where two are too large, and of small ones no more than a batch has', () => {
    expect(choosePack({ ...choice, bytesPerItem: PACK_BYTES })).toBe(1);
    expect(choosePack({ ...choice, bytesPerItem: 2 * PACK_BYTES })).toBe(1);
    expect(choosePack(choice)).toBe(42);
    expect(choosePack({ ...choice, expected: 20 })).toBe(16);
    expect(choosePack({ ...choice, expected: 0 })).toBe(1);
  });

  test('holds what a job asks for, as far as it fits', () => {
    expect(choosePack({ ...choice, asked: 1 })).toBe(1);
    expect(choosePack({ ...choice, asked: 500 })).toBe(500);
    expect(choosePack({ ...choice, asked: 500, bytesPerItem: PACK_BYTES / 10 })).toBe(10);
  });

  test('never crosses a batch', () => {
    expect(planBatches(168, 'auto', 2, 42)).toEqual({ items: 168, size: 84, batches: 2, lanes: 2 });
    expect(planBatches(100, 5, 2, 4)).toEqual({ items: 100, size: 8, batches: 13, lanes: 2 });
    expect(planBatches(3, 'auto', 2, 64)).toEqual({ items: 3, size: 64, batches: 1, lanes: 1 });
  });
});

describe('a pack of what a model says of images', () => {
  test('holds as many results as fit into its bytes, and at most a thousand', () => {
    expect(chooseResultPack('auto')).toBe(1000);
    expect(chooseResultPack('auto', 4096)).toBe(1000);
    expect(chooseResultPack('auto', PACK_BYTES / 63.5)).toBe(63);
    expect(chooseResultPack('auto', 3 * PACK_BYTES)).toBe(1);
  });

  test('holds what a job asks for, as far as it fits', () => {
    expect(chooseResultPack(7)).toBe(7);
    expect(chooseResultPack(1, 10)).toBe(1);
    expect(chooseResultPack(100, PACK_BYTES / 10)).toBe(10);
  });
});

describe('a chunk of a video', () => {
  test('has fewer frames the larger they are, and always one', () => {
    const frames = [16, 320, 640, 1280, 1920, 3840, 7680].map((width) => chunkFrames({ width, height: width / 2 }));
    expect(frames).toEqual(frames.toSorted((a, b) => b - a));
    expect(chunkFrames({ width: 1e6, height: 1e6 })).toBe(1);
  });

  test('follows the one before it, and the last one ends with the video', () => {
    expect([0, 1, 2].map((index) => chunkAt(index, 25, 10))).toEqual([
      { first: 0, count: 10 },
      { first: 10, count: 10 },
      { first: 20, count: 5 },
    ]);
  });
});
