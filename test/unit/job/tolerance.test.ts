import { describe, expect, test } from 'vitest';
import { parseSpec } from '../../../src/job/spec.js';
import { excessOf, fillsOf, itemsThatMayFail, type Losses, tooManyLost } from '../../../src/job/tolerance.js';

const tolerance = (tolerate?: object) =>
  parseSpec(JSON.stringify({ input: { images: 'inbox/a/' }, model: 'm', tolerate })).tolerate;
const losses = (more: Partial<Losses> = {}): Losses => ({ failed: 0, missing: 0, batches: 0, ...more });
const bound = (tolerate: object | undefined, lost: Partial<Losses>, items = 1000) =>
  excessOf(tolerance(tolerate), items, losses(lost))?.bound;

describe('what a job tolerates', () => {
  test('is nothing unless it says so, and it ends containers that run when that is exceeded', () => {
    expect(tolerance()).toEqual({ failedItems: 0, onExceeded: 'cancel' });
    expect(bound(undefined, {})).toBeUndefined();
    expect(bound(undefined, { failed: 1 })).toBe('failedItems');
    expect(bound(undefined, { missing: 1, batches: 1 })).toBe('failedItems');
  });

  test.each<[object, Partial<Losses>, string | undefined]>([
    [{ failedItems: 3 }, { failed: 3 }, undefined],
    [{ failedItems: 3 }, { failed: 4 }, 'failedItems'],
    [{ failedItems: 3 }, { failed: 2, missing: 2, batches: 1 }, 'failedItems'],
    [{ failedPercent: 1 }, { failed: 10 }, undefined],
    [{ failedPercent: 1 }, { failed: 11 }, 'failedPercent'],
    [{ failedPercent: 1 }, { failed: 9, missing: 2, batches: 1 }, 'failedPercent'],
    [{ failedPercent: 0 }, { failed: 1 }, 'failedPercent'],
    [{ failedPercent: 100 }, { failed: 1000 }, undefined],
    [{ failedItems: 20, failedPercent: 1 }, { failed: 11 }, 'failedPercent'],
    [{ failedItems: 5, failedPercent: 1 }, { failed: 6 }, 'failedItems'],
    [{ failedBatches: 1 }, { missing: 500, batches: 1 }, undefined],
    [{ failedBatches: 1 }, { missing: 501, batches: 2 }, 'failedBatches'],
    [{ failedBatches: 0 }, { missing: 1, batches: 1 }, 'failedBatches'],
    // A broken picture is none of what a batch has taken with it.
    [{ failedBatches: 1 }, { failed: 1 }, 'failedItems'],
    [{ failedBatches: 1 }, { failed: 1, missing: 10, batches: 1 }, 'failedItems'],
    [{ failedBatches: 1, failedItems: 5 }, { missing: 10, batches: 1 }, 'failedItems'],
    [{ failedBatches: 1, failedItems: 10 }, { missing: 10, batches: 1 }, undefined],
    [{ failedBatches: 1, failedPercent: 0.5 }, { missing: 10, batches: 1 }, 'failedPercent'],
  ])('%j of a thousand items, of which it lost %j: %s', (tolerate, lost, expected) => {
    expect(bound(tolerate, lost)).toBe(expected);
  });

  test('counts percents exactly, although no computer has 0.29', () => {
    const wrong: number[] = [];
    for (let tenths = 0; tenths <= 1000; tenths += 1)
      for (const items of [1, 7, 100, 1000, 9999, 1_000_000]) {
        const most = itemsThatMayFail({ failedPercent: tenths / 10 }, items);
        if (most !== Math.floor((items * tenths) / 1000)) wrong.push(tenths);
      }
    expect(wrong).toEqual([]);
    expect(itemsThatMayFail(tolerance({ failedPercent: 0.29 }), 10_000)).toBe(29);
  });

  test('is the least of its bounds for a picture that is broken by itself', () => {
    expect(itemsThatMayFail(tolerance(), 1000)).toBe(0);
    expect(itemsThatMayFail(tolerance({ failedBatches: 4 }), 1000)).toBe(0);
    expect(itemsThatMayFail(tolerance({ failedItems: 7 }), 1000)).toBe(7);
    expect(itemsThatMayFail(tolerance({ failedItems: 7, failedPercent: 0.5 }), 1000)).toBe(5);
  });
});

test.each<[object, Partial<Losses>, string]>([
  [{}, { failed: 1 }, '1 item could not be scored and tolerate.failedItems is 0 (a.png: broken).'],
  [{ failedItems: 7 }, { failed: 8 }, '8 items could not be scored and tolerate.failedItems is 7 (a.png: broken).'],
  [
    { failedPercent: 1.5 },
    { failed: 16 },
    '16 of 1000 items could not be scored and tolerate.failedPercent is 1.5 (a.png: broken).',
  ],
  [
    { failedBatches: 1 },
    { missing: 9, batches: 2 },
    '2 batches were given up with 9 items missing and tolerate.failedBatches is 1 (a.png: broken).',
  ],
])('what %j makes of %j is said with both numbers and the reason', (tolerate, lost, sentence) => {
  const excess = excessOf(tolerance(tolerate), 1000, losses(lost));
  expect(excess && tooManyLost(excess, 'a.png: broken')).toBe(sentence);
});

describe('a frame without an output', () => {
  test('is shown as it came where the job says nothing else', () => {
    expect([...fillsOf(new Set([3, 0, 9]), 'source')]).toEqual([
      [0, undefined],
      [3, undefined],
      [9, undefined],
    ]);
  });

  test('is filled with the last one before it that has an output; without any it is shown as it came', () => {
    expect([...fillsOf(new Set([7, 5, 6, 0, 1, 20]), 'previous')]).toEqual([
      [0, undefined],
      [1, undefined],
      [5, 4],
      [6, 4],
      [7, 4],
      [20, 19],
    ]);
  });

  test('that is a file is filled with the last one before it, and at the beginning with the first one behind', () => {
    expect([...fillsOf(new Set([7, 5, 6, 0, 1]), 'nearest')]).toEqual([
      [0, 2],
      [1, 2],
      [5, 4],
      [6, 4],
      [7, 4],
    ]);
  });

  test('is filled in no time where many follow each other', () => {
    const many = new Set(Array.from({ length: 200_000 }, (_, index) => index + 1));
    expect(fillsOf(many, 'previous').get(200_000)).toBe(0);
  });
});
