import { describe, expect, test } from 'vitest';
import { fitParallel } from '../../../src/compute/azure/capacity.js';

describe('the containers that run at once', () => {
  test.each([
    ['what the job asks for, where there is room', 4, 9, 4],
    ['ten where the job does not say', undefined, 50, 10],
    ['what there is room for', 8, 3, 3],
    ['what there is room for, where the job does not say', undefined, 3, 3],
    ['what the job asks for, where Azure lists no quota', 8, undefined, 8],
    ['one, which waits, where there is no room', 8, 0, 1],
  ])('are %s', (_, asked, free, maxParallel) => {
    expect(fitParallel(asked, free, 'numbers').maxParallel).toBe(maxParallel);
  });

  test('come with a warning that has the numbers when the job gets fewer than it asks for, or has to wait', () => {
    expect(fitParallel(8, 3, 'cores: 5 of 8 in use').warnings).toEqual([
      expect.stringMatching(/cores: 5 of 8 in use.*3 instead of 8/),
    ]);
    expect(fitParallel(undefined, 0, 'cores: 8 of 8 in use').warnings).toEqual([
      expect.stringMatching(/used up.*cores: 8 of 8 in use/),
    ]);
  });

  test('come without one when the job gets what it asks for, or asks for nothing', () => {
    expect(fitParallel(3, 3, 'numbers').warnings).toEqual([]);
    expect(fitParallel(undefined, 3, 'numbers').warnings).toEqual([]);
  });
});
