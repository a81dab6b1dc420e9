import { describe, expect, test } from 'vitest';
import {
  costInAll,
  estimateJob,
  expectedBy,
  expectedByTrial,
  type Pace,
  paceOf,
} from '../../../../src/job/estimate/estimate.js';
import type { AttemptReport } from '../../../../src/job/manifest.js';
import { planBatches } from '../../../../src/job/plan.js';

const T0 = Date.parse('2026-11-27T06:00:00.000Z');
/** A container run that took two seconds until it was ready. */
const attempt = (number: number, scored: number, secondsPerItem: number, from = 0): AttemptReport => ({
  attempt: number,
  container: 'c',
  compute: 'local',
  place: { cpus: 2 },
  scored,
  skipped: 0,
  failed: 0,
  containerSeconds: 2 + scored * secondsPerItem,
  phases: {
    launched: new Date(T0 + from * 1000).toISOString(),
    ended: {},
    seconds: {
      queued: 5,
      started: 0.5,
      modelLoaded: 1.5,
      firstItem: secondsPerItem,
      lastItem: (scored - 1) * secondsPerItem,
    },
    endedAt: new Date(T0 + (from + 2 + scored * secondsPerItem) * 1000).toISOString(),
  },
});
const of = (seconds: number, items: number) => ({ seconds, items, pixels: 1000 });

describe('the pace of a job', () => {
  test('is what its containers took for an item and until the first one, and what was around them', () => {
    const attempts = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.9].map((each, k) => attempt(k + 1, 10, each));
    expect(paceOf(attempts, of(20, 100))).toEqual({
      item: { low: 0.1, high: 0.1 },
      start: { low: 2, high: 2 },
      around: 9,
      items: 100,
      pixels: 1000,
      cpus: 2,
    });
  });

  test('is a wider range where few containers ran, and unknown where none has scored', () => {
    const { item } = paceOf([attempt(1, 10, 0.2)], of(5, 10)) ?? {};
    expect(item?.low).toBeLessThan(0.2);
    expect(item?.high).toBeGreaterThan(0.2);
    const { phases: _, ...unseen } = attempt(1, 10, 0.2);
    expect(paceOf([unseen, { ...attempt(2, 10, 0.2), scored: 0 }], of(5, 10))).toBeUndefined();
  });
});

describe('the estimate of a job', () => {
  const pace: Pace = {
    item: { low: 0.1, high: 0.2 },
    start: { low: 2, high: 4 },
    around: 10,
    items: 100,
    pixels: 1000,
    cpus: 2,
  };
  const same = { items: 100, pixels: 1000, cpus: 2 };

  test('adds up starts and items of a lane, and of all containers together', () => {
    // Four batches of 25 in two lanes.
    const plan = planBatches(100, 25, 2);
    const exact = { item: { low: 0.1, high: 0.2 }, start: { low: 2, high: 4 }, around: { low: 10, high: 20 } };
    expect(estimateJob(plan, exact)).toEqual({
      seconds: { low: 10 + 2 * 2 + 50 * 0.1, high: 20 + 2 * 4 + 50 * 0.2 },
      containerSeconds: { low: 4 * 2 + 100 * 0.1, high: 4 * 4 + 100 * 0.2 },
    });
    expect(estimateJob(planBatches(0, 'auto', 2), exact).containerSeconds).toEqual({ low: 0, high: 0 });
  });

  test('of a job like an earlier one contains what that took', () => {
    const { item, around } = expectedBy(pace, same);
    expect(item).toEqual(pace.item);
    expect(around.low).toBeLessThan(10);
    expect(around.high).toBeGreaterThan(10);
  });

  test('grows with the size of the pictures and shrinks with the cores, and is less sure of itself then', () => {
    const larger = expectedBy(pace, { ...same, pixels: 4000 }).item;
    expect(larger.low).toBeLessThan(0.4);
    expect(larger.high).toBeGreaterThan(0.8);
    const slower = expectedBy(pace, { ...same, cpus: 1 }).item;
    expect(slower.high).toBeGreaterThan(0.4);
    expect(expectedBy(pace, { items: 100, pixels: undefined, cpus: undefined }).item).toEqual(pace.item);
  });

  test('keeps what is around the scoring between a fixed time and one that grows with the items', () => {
    const { around } = expectedBy(pace, { ...same, items: 1000 });
    expect(around.low).toBeLessThan(10);
    expect(around.high).toBeGreaterThan(100);
  });

  test('by a trial shares its work among the cores, and allows for more where the machine is another', () => {
    const wanted = { items: 100, pixels: undefined, cpus: 4 };
    const here = expectedByTrial(0.4, { ...wanted, compute: 'local' });
    expect(here.item.low).toBeLessThan(0.1);
    expect(here.item.high).toBeGreaterThan(0.1);
    const away = expectedByTrial(0.4, { ...wanted, compute: 'aci' });
    expect(away.item.high).toBeGreaterThan(here.item.high);
    expect(away.start.low).toBeGreaterThan(here.start.high);
    const video = expectedByTrial(0.4, { ...wanted, pixels: 1920 * 1080, compute: 'local' });
    expect(video.around.high).toBeGreaterThan(here.around.high);
  });
});

test('what a job costs in all is between what it has cost and what the rest may', () => {
  const { low = 0, high = 0 } = costInAll(1, { done: 10, left: 10 }) ?? {};
  expect(low).toBeLessThan(2);
  expect(high).toBeGreaterThan(2);
  expect(costInAll(1, { done: 10, left: 0 })).toEqual({ low: 1, high: 1 });
  expect(costInAll(1, { done: 0, left: 10 })).toBeUndefined();
});
