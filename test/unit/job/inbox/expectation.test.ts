import { describe, expect, test } from 'vitest';
import {
  createGathering,
  expectationSchema,
  type Expectation,
  expectedItems,
  gatheringInWords,
  gaveUpWaiting,
  isComplete,
} from '../../../../src/job/inbox/expectation.js';

const gather = (expectation: Expectation, names: string[]) => {
  const gathering = createGathering(expectation);
  for (const name of names) gathering.add(name);
  return gathering.gathered();
};

describe('what a frame folder waits for', () => {
  test('is a count of pictures: other files do not count', () => {
    const names = ['a.png', 'b.jpg', '_READY', 'audio.m4a', 'notes.txt', 'nested/c.PNG'];
    expect(gather({ count: 3 }, names)).toEqual({ there: 3, expected: 3, examples: [] });
    expect(isComplete(gather({ count: 3 }, names))).toBe(true);
    expect(isComplete(gather({ count: 4 }, names))).toBe(false);
    expect(isComplete(gather({ count: 2 }, names))).toBe(true);
  });

  test('is a list of names: others do not count, and one that comes twice counts once', () => {
    expect(gather(['a.png', 'x/b.png'], ['b.png', 'a.png', 'a.png', 'c.png'])).toEqual({
      there: 1,
      expected: 2,
      examples: ['x/b.png'],
    });
    expect(isComplete(gather(['a.png', 'x/b.png'], ['x/b.png', 'a.png']))).toBe(true);
  });

  test.each([
    [{ count: 1 }, 1],
    [['a.png', 'b.png', 'a.png'], 2],
  ])('is read from %j', (value, items) => {
    expect(expectedItems(expectationSchema.parse(value))).toBe(items);
  });

  test.each([
    { count: 0 },
    { count: 10_000_000 },
    { count: 1.5 },
    { count: '3' },
    {},
    { count: 1, more: 2 },
    [],
    [''],
    [3],
    3,
    'all',
    null,
  ])('is not %j', (value) => {
    expect(expectationSchema.safeParse(value).success).toBe(false);
  });

  test('is told in the status, and named in the end when it never came', () => {
    const names = Array.from({ length: 10 }, (_, k) => `f-${k}.png`);
    const late = gather(names, names.slice(0, 4));
    expect(gatheringInWords(late)).toBe(
      'waits for images: 4 of 10 are there, without f-4.png, f-5.png, f-6.png and 3 more',
    );
    expect(gatheringInWords(gather({ count: 2 }, ['a.png']))).toBe('waits for images: 1 of 2 are there');
    expect(gaveUpWaiting('inbox/a/', late, 24)).toBe(
      'After 24 hours there are 4 of 10 expected images below inbox/a/, without f-4.png, f-5.png, f-6.png and 3 more; upload the rest, then its trigger file again.',
    );
    expect(gaveUpWaiting('inbox/a/', gather({ count: 2 }, ['a.png']), 1)).toBe(
      'After 1 hour there are 1 of 2 expected images below inbox/a/; upload the rest, then its trigger file again.',
    );
  });
});
