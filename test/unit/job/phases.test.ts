import { describe, expect, test } from 'vitest';
import { describePhases, summarize, sumPhases, sumsOf } from '../../../src/job/phases.js';

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();

describe('the phases of an attempt', () => {
  test('take the time since the phase before', () => {
    const ended = {
      queued: at(4),
      pulled: at(64),
      started: at(66),
      modelLoaded: at(67.5),
      firstItem: at(68),
      lastItem: at(90),
    };
    expect(describePhases(1, at(0), ended).seconds).toEqual({
      queued: 4,
      pulled: 60,
      started: 2,
      modelLoaded: 1.5,
      firstItem: 0.5,
      lastItem: 22,
    });
  });

  test('that nobody saw count into the next one', () => {
    expect(describePhases(1, at(0), { started: at(3), lastItem: at(8) }).seconds).toEqual({ started: 3, lastItem: 5 });
  });

  test('take no time when two clocks contradict each other', () => {
    expect(describePhases(1, at(0), { queued: at(10), started: at(9), modelLoaded: at(11) }).seconds).toEqual({
      queued: 10,
      started: 0,
      modelLoaded: 1,
    });
  });

  test('of several attempts give a mean and a longest time, in whatever parts they are added', () => {
    const one = describePhases(1, at(0), { queued: at(1), started: at(2) });
    const two = describePhases(2, at(0), { queued: at(4) });
    const three = describePhases(1, at(0), { queued: at(1) });
    const expected = { queued: { mean: 2, longest: 4 }, started: { mean: 1, longest: 1 } };
    expect(summarize(sumsOf([one, two, three]))).toEqual(expected);
    expect(summarize(sumPhases([sumsOf([one, two]), {}, sumsOf([three])]))).toEqual(expected);
  });
});
