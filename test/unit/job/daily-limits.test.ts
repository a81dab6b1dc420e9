import { describe, expect, test } from 'vitest';
import { type Charge, type Day, dayOf, nextDay, whyOver, withoutRun, withRun } from '../../../src/job/daily-limits.js';

const NOON = Date.parse('2026-11-27T12:00:00Z');
const LIMITS = { jobs: 3, items: 100, bytes: 2 * 1024 ** 3 };
const charge = (items = 0, gib = 0): Charge => ({ items, bytes: gib * 1024 ** 3 });
const dayWith = (...charges: Charge[]): Day => Object.fromEntries(charges.map((each, k) => [`job-${k}`, each]));
const ask = (day: Day, run: string, wanted: Charge, limits: object = LIMITS) =>
  whyOver(day, run, wanted, { limits, now: NOON });

describe('a new run', () => {
  test.each<[string, Day, Charge, RegExp | undefined]>([
    ['on a day with nothing', {}, charge(), undefined],
    ['that is the last job', dayWith(charge(), charge()), charge(), undefined],
    [
      'that is one job too many',
      dayWith(charge(), charge(), charge()),
      charge(),
      /3 jobs.*at most 3 a day \(MOST_JOBS_PER_DAY\)/,
    ],
    ['that reaches the items exactly', dayWith(charge(60)), charge(40), undefined],
    [
      'that is beyond the items',
      dayWith(charge(60)),
      charge(41),
      /60 items.*at most 100 items.*\(MOST_ITEMS_PER_DAY\)/,
    ],
    ['of unknown size when all items are used', dayWith(charge(100)), charge(), /MOST_ITEMS_PER_DAY/],
    ['of unknown size when some items are left', dayWith(charge(99)), charge(), undefined],
    ['that reaches the bytes exactly', dayWith(charge(0, 1)), charge(0, 1), undefined],
    [
      'that is beyond the bytes',
      dayWith(charge(0, 1.5)),
      charge(0, 1),
      /1\.5 GiB.*at most 2 GiB.*\(MOST_GIB_PER_DAY\)/,
    ],
  ])('%s', (_, day, wanted, why) => {
    const over = ask(day, 'new', wanted);
    if (!why) return expect(over).toBeUndefined();
    expect(over).toMatchObject({ blame: 'platform', inLine: true, retryAfterSeconds: 12 * 3600 });
    expect(over?.message).toMatch(why);
    expect(over?.message).toMatch(/the next day begins at 2026-11-28T00:00Z\.$/);
  });

  test('that fits on no day is its owner’s to make smaller', () => {
    expect(ask({}, 'new', charge(101))).toMatchObject({ blame: 'user', message: expect.stringMatching(/101 items/) });
  });

  test('has no limits where none are set', () => {
    expect(ask(dayWith(charge(1e9, 1e9)), 'new', charge(1e9, 1e9), {})).toBeUndefined();
  });
});

describe('a run that counts already', () => {
  const day = dayWith(charge(60), charge(40), charge());
  test.each<[string, string, Charge, boolean]>([
    ['is asked again for the same', 'job-0', charge(60), true],
    ['turns out to be smaller', 'job-0', charge(10), true],
    ['grows beyond what others leave', 'job-2', charge(1), false],
    ['grows by other bytes', 'job-2', charge(0, 2), true],
  ])('%s', (_, run, wanted, fits) => {
    expect(ask(day, run, wanted) === undefined).toBe(fits);
  });

  test('counts once, and no longer when it never began', () => {
    const counted = withRun(day, 'job-9', charge(1));
    expect(withRun(counted, 'job-9', charge(1))).toBe(counted);
    expect(withoutRun(counted, 'job-9')).toEqual(day);
    expect(withoutRun(day, 'job-9')).toBe(day);
  });
});

test('a day is one of UTC', () => {
  expect(dayOf(Date.parse('2026-11-27T23:59:59.999Z'))).toBe('2026-11-27');
  expect(nextDay(Date.parse('2026-11-27T23:59:59.999Z'))).toBe(Date.parse('2026-11-28T00:00:00Z'));
  expect(nextDay(Date.parse('2026-11-28T00:00:00Z'))).toBe(Date.parse('2026-11-29T00:00:00Z'));
});
