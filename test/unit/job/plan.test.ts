import { describe, expect, test } from 'vitest';
import { batchAt, batchesOfLane, planBatches } from '../../../src/job/plan.js';

describe('a batch plan', () => {
  const counts = [1, 2, 3, 15, 16, 17, 36, 63, 64, 65, 168, 823, 1000, 10_000];
  test.each(counts)('puts each of %i items into exactly one batch of exactly one lane', (items) => {
    for (const size of ['auto', 1, 7, 500] as const) {
      for (const maxParallel of [1, 2, 3, 8, 100]) {
        const plan = planBatches(items, size, maxParallel);
        const batches = Array.from({ length: plan.lanes }, (_, lane) => batchesOfLane(plan, lane)).flat();
        const covered = batches
          .toSorted((a, b) => a.index - b.index)
          .flatMap(({ first, count }) => Array.from({ length: count }, (_, k) => first + k));
        expect(covered).toEqual(Array.from({ length: items }, (_, item) => item));
        expect(batches.length).toBe(plan.batches);
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
});
