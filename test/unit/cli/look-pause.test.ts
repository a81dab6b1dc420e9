import { describe, expect, test } from 'vitest';
import { lookPause } from '../../../src/cli/score/run-job.js';

describe('between two looks at a job the command line waits', () => {
  test('half of what is left, at least a quarter of a second', () => {
    const pauses = [20, 6, 2, 0.5, 0].map((secondsLeft) => lookPause({ stage: 'score', secondsLeft }, 100));
    expect(pauses).toEqual([3000, 3000, 1000, 250, 250]);
  });

  test('three seconds at most, however old the job is', () => {
    const pauses = [5, 30, 3600].map((age) => lookPause({ stage: 'score', secondsLeft: 1000 }, age));
    expect(pauses).toEqual([3000, 3000, 3000]);
  });

  test('as if what nobody can tell took as long as the job has taken so far', () => {
    const pauses = [0.2, 1, 4, 40].map((age) => lookPause({ stage: 'prepare', secondsLeft: null }, age));
    expect(pauses).toEqual([250, 500, 2000, 3000]);
  });

  test('a second at most where the end may be near, and the least when it is', () => {
    const last = (['stitch', 'collect', 'finish'] as const).map((stage) =>
      lookPause({ stage, secondsLeft: null }, 600),
    );
    expect(last).toEqual([1000, 1000, 250]);
  });
});
