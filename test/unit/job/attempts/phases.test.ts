import { describe, expect, test } from 'vitest';
import { containerSeconds, describePhases, summarize, sumPhases, sumsOf } from '../../../../src/job/attempts/phases.js';

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
      stored: at(90.25),
    };
    expect(describePhases(1, at(0), ended).seconds).toEqual({
      queued: 4,
      pulled: 60,
      started: 2,
      modelLoaded: 1.5,
      firstItem: 0.5,
      lastItem: 22,
      stored: 0.25,
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

  test('end when the last of them ended, where nobody saw the end of the container', () => {
    expect(describePhases(1, at(0), { started: at(3), queued: at(1) }).endedAt).toBe(at(3));
    expect(describePhases(1, at(0), { started: at(3) }, at(9)).endedAt).toBe(at(9));
  });
});

describe('the time of a container', () => {
  test('begins when it has its place and ends with it', () => {
    expect(containerSeconds(describePhases(1, at(0), { queued: at(4), lastItem: at(90) }, at(91)))).toBe(87);
  });

  test('begins with its first sign of life where the platform says nothing', () => {
    expect(containerSeconds(describePhases(1, at(0), { started: at(5), lastItem: at(9) }, at(10)))).toBe(5);
  });

  test('is none when nobody saw it, or two clocks contradict each other', () => {
    expect(containerSeconds(describePhases(1, at(0), {}, at(10)))).toBe(0);
    expect(containerSeconds(describePhases(1, at(0), { queued: at(5) }, at(4)))).toBe(0);
  });
});
