import { describe, expect, test } from 'vitest';
import {
  fits,
  NO_PLACES,
  type Place,
  ticketDelaySeconds,
  withPlace,
  withoutPlaces,
  withSize,
  whyFull,
} from '../../../../src/job/inbox/admission.js';

const LIMITS = { jobs: 3, items: 100, bytes: 1000 };
const place = (job: string, items = 0, bytes = 0): Place => ({ job, items, bytes, since: 1 });
const taken = (...places: Place[]) => places.reduce(withPlace, NO_PLACES);

describe('a job', () => {
  test.each<[string, Place[], Place, boolean]>([
    ['when nothing runs', [], place('new', 50, 500), true],
    ['that fills the last place', [place('a'), place('b')], place('new'), true],
    ['beyond the number of jobs', [place('a'), place('b'), place('c')], place('new'), false],
    ['that reaches the items exactly', [place('a', 60)], place('new', 40), true],
    ['beyond the items', [place('a', 60)], place('new', 41), false],
    ['that reaches the bytes exactly', [place('a', 0, 999)], place('new', 0, 1), true],
    ['beyond the bytes', [place('a', 0, 999)], place('new', 0, 2), false],
    ['larger than all limits, alone', [], place('new', 1e9, 1e12), true],
    ['larger than all limits, beside another', [place('a')], place('new', 1e9, 1e12), false],
    ['beside one that is larger than all limits', [place('a', 1e9, 1e12)], place('new', 1, 1), false],
    ['of unknown size beside one that fills the items', [place('a', 100)], place('new'), true],
    [
      'that has its place already, whatever is full',
      [place('a', 100), place('b'), place('new', 500)],
      place('new', 500),
      true,
    ],
  ])('fits or not: %s', (_, there, wanted, fit) => {
    expect(fits(taken(...there), wanted, LIMITS)).toBe(fit);
  });

  test('that takes its place twice has one, from the first time', () => {
    const once = taken(place('a', 5, 5));
    expect(withPlace(once, { ...place('a', 5, 5), since: 99 })).toBe(once);
    expect(once.places).toEqual([place('a', 5, 5)]);
  });

  test('gives its place back, once and for all', () => {
    const both = taken(place('a'), place('b'));
    const one = withoutPlaces(both, ['a', 'c']);
    expect(one.places).toEqual([place('b')]);
    expect(withoutPlaces(one, ['a'])).toBe(one);
  });

  test('counts with its true size once that is known', () => {
    const sized = withSize(taken(place('a'), place('b')), 'a', { items: 70 });
    expect(sized.places).toEqual([place('a', 70), place('b')]);
    expect(withSize(sized, 'a', { items: 70 })).toBe(sized);
    expect(withSize(sized, 'gone', { items: 70 })).toBe(sized);
  });
});

test('what is full is said in words', () => {
  const words = (...places: Place[]) => whyFull(taken(...places), place('new', 50, 500), LIMITS);
  expect(words(place('a'), place('b'), place('c'))).toMatch(/3 jobs run/);
  expect(words(place('a', 60))).toMatch(/60 items.*100/);
  expect(words(place('a', 0, 600))).toMatch(/600 bytes.*1000/);
});

describe('a ticket', () => {
  test.each([
    [1, 5],
    [50, 5],
    [51, 6],
    [1000, 100],
    [3000, 300],
    [1_000_000, 300],
  ])('of a line of %d comes again after %d s', (line, seconds) => {
    expect(ticketDelaySeconds(line)).toBe(seconds);
  });

  test('is one of about ten in a second at most, up to a line of three thousand', () => {
    for (let line = 50; line <= 3000; line += 10) expect(line / ticketDelaySeconds(line)).toBeLessThanOrEqual(10);
  });
});
