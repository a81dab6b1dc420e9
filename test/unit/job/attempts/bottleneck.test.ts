import { describe, expect, test } from 'vitest';
import { attemptSplit, describeTime, sumSplits, type TimeSplit } from '../../../../src/job/attempts/bottleneck.js';

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();
const total = (split: TimeSplit) => Object.values(split).reduce((sum, seconds) => sum + seconds, 0);
const own = { start: 500, model: 1500, storage: 2000, pictures: 1000, inference: 14_500, other: 500 };

describe('the time of an attempt', () => {
  const seen = { queued: at(4), pulled: at(64), started: at(66) };

  test('is that until its program ran, and what the program says of itself', () => {
    expect(attemptSplit({ launched: at(0), seen, alive: true, own })).toEqual({
      place: 4,
      image: 60,
      start: 2.5,
      model: 1.5,
      storage: 2,
      pictures: 1,
      inference: 14.5,
      other: 0.5,
    });
  });

  test('is its start-up alone where the platform tells nothing', () => {
    const split = attemptSplit({ launched: at(0), seen: { started: at(3) }, alive: true, own });
    expect(split).toMatchObject({ start: 3.5 });
    expect(total(split)).toBe(23);
  });

  test('is unknown after the last word of a container that was killed, or never said more', () => {
    const killed = attemptSplit({ launched: at(0), seen, alive: true, own, ended: at(100) });
    expect(killed).toMatchObject({ inference: 14.5, unknown: 14 });
    expect(total(killed)).toBe(100);
    // An older scorer says when it started, and no more.
    expect(attemptSplit({ launched: at(0), seen, alive: true, ended: at(86) })).toEqual({
      place: 4,
      image: 60,
      start: 2,
      unknown: 20,
    });
  });

  test('is its start-up to the end when its program gave no sign of life', () => {
    const silent = (times: object) => attemptSplit({ launched: at(0), seen: times, alive: false, ended: at(900) });
    expect(silent({})).toEqual({ start: 900 });
    expect(silent({ queued: at(10) })).toEqual({ place: 10, start: 890 });
    expect(silent(seen)).toEqual({ place: 4, image: 60, start: 836 });
  });

  test('is never negative, whatever the clocks of platform and container say', () => {
    const early = { queued: at(-50), pulled: at(2), started: at(-3) };
    expect(attemptSplit({ launched: at(0), seen: early, alive: true, own, ended: at(12) })).toMatchObject({
      image: 2,
      start: 0.5,
    });
    for (const ended of [at(-100), at(12), at(1000), 'rubbish', ''])
      for (const times of [early, {}, seen, { queued: 'rubbish', started: at(1e6) }])
        for (const said of [own, undefined, { ...own, inference: Number.NaN, storage: -5 }]) {
          for (const alive of [true, false]) {
            const split = attemptSplit({ launched: at(0), seen: times, alive, own: said, ended });
            for (const seconds of Object.values(split)) expect(seconds).toBeGreaterThan(0);
          }
        }
    expect(attemptSplit({ launched: 'rubbish', seen: {}, alive: false, ended: 'rubbish' })).toEqual({});
  });
});

test('the times of several attempts add up', () => {
  const parts = [{ inference: 1.5, storage: 1 }, {}, { inference: 0.25, unknown: 2 }];
  expect(sumSplits(parts)).toEqual({ inference: 1.75, storage: 1, unknown: 2 });
  expect(sumSplits([])).toEqual({});
});

describe('where the time of the containers went', () => {
  const sentence = (split: TimeSplit) => describeTime(split)?.sentence;

  test('is said with the largest share first, and what else matters', () => {
    expect(sentence({ start: 4, storage: 6, inference: 81, pictures: 3, model: 4, other: 2 })).toBe(
      '81 % of the container time is inference; 6 % waits for storage.',
    );
    expect(sentence({ place: 50, image: 30, inference: 20 })).toBe(
      '50 % of the container time waits for a place; 30 % waits for the image; 20 % is inference.',
    );
  });

  test('is said in at most four shares', () => {
    expect(sentence({ place: 12, image: 13, start: 14, model: 15, storage: 16, inference: 30 })).toBe(
      '30 % of the container time is inference; 16 % waits for storage; 15 % waits for the model; 14 % waits for containers to start.',
    );
  });

  test.each([
    ['place', 'waits for a place'],
    ['image', 'waits for the image'],
    ['start', 'waits for containers to start'],
    ['model', 'waits for the model'],
    ['storage', 'waits for storage'],
    ['pictures', 'is decoding, scaling and encoding pictures'],
    ['inference', 'is inference'],
    ['other', 'is other work'],
    ['unknown', 'is unknown'],
  ] as const)('names %s', (use, words) => {
    expect(sentence({ [use]: 7.5 })).toBe(`100 % of the container time ${words}.`);
  });

  test('is nothing when no container ran', () => {
    expect(describeTime({})).toBeNull();
    expect(describeTime({ inference: 0, storage: 0 })).toBeNull();
  });

  test('has whole percentages that add up to 100', () => {
    expect(describeTime({ inference: 1, storage: 1, pictures: 1 })?.percent).toEqual({
      storage: 34,
      pictures: 33,
      inference: 33,
    });
    let seed = 1;
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    for (let round = 0; round < 500; round += 1) {
      const split = {
        place: random(),
        start: random() ** 4,
        storage: random() * 9,
        pictures: random() ** 9,
        inference: random() * 40,
      };
      const { percent = {}, sentence: said = '' } = describeTime(split) ?? {};
      expect(total(percent)).toBe(100);
      for (const share of Object.values(percent)) expect(share).toBeGreaterThan(0);
      expect(said).not.toMatch(/\b0 %|NaN/);
    }
  });

  test('gives seconds to the millisecond, without what took none', () => {
    expect(describeTime({ inference: 1.234_56, storage: 0.000_1, model: 0 })?.seconds).toEqual({ inference: 1.235 });
  });
});
