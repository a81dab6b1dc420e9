import { describe, expect, test } from 'vitest';
import {
  absentMetadata,
  framesBlob,
  memberName,
  MOST_ITEMS,
  parseFramesBlob,
  parseScoredPart,
  packStart,
  predictedPart,
  readAbsent,
  scoredPart,
  scoredPrefixes,
} from '../../../src/container-contract/places.js';

describe('the places of items', () => {
  test('are packs that are called after their first frame, whose members keep their names', () => {
    expect([62, 63, 64, 125, 126].map((index) => framesBlob(index, 63, 'png'))).toEqual(
      ['0000000', '0000063', '0000063', '0000063', '0000126'].map((name) => `frames/${name}.zip`),
    );
    expect(memberName(64, 'png')).toBe('0000064.png');
  });

  test('are files of their own where a pack holds one item', () => {
    expect(framesBlob(64, 1, 'jpg')).toBe('frames/0000064.jpg');
    expect(scoredPart({ first: 64, last: 64 }, 1, 'png')).toBe('scored/0000064.png');
    expect(predictedPart({ first: 64, last: 64 }, 1, 'json')).toBe('predicted/0000064.json');
  });

  test.each([
    [{ first: 0, last: 62 }, 63, 'png'],
    [{ first: 63, last: 63 }, 63, 'npy'],
    [{ first: 5, last: 5 }, 1, 'json'],
    [{ first: MOST_ITEMS - 1, last: MOST_ITEMS }, 2, 'jpg'],
  ])('say of which items a part is: %o', (range, pack, ending) => {
    expect(parseScoredPart(scoredPart(range, pack, ending))).toEqual(range);
  });

  test.each(['frames/0000001.png', 'scored/0000001', 'scored/0000001-0000002.png', 'scored/a.png', 'x/scored/1.png'])(
    'are no parts by other names: %s',
    (name) => {
      expect(parseScoredPart(name)).toBeUndefined();
    },
  );

  test('say which frames a blob may hold', () => {
    expect(parseFramesBlob(framesBlob(64, 63, 'ppm'), 63)).toEqual({ first: 63, last: 125 });
    expect(parseFramesBlob(framesBlob(64, 1, 'ppm'), 1)).toEqual({ first: 64, last: 64 });
    expect(parseFramesBlob('scored/0000001.png', 1)).toBeUndefined();
  });

  test('say which items of a part are absent', () => {
    const range = { first: 1000, last: 1062 };
    for (const absent of [[], [1000], [1003, 1017, 1062]])
      expect(readAbsent(range, absentMetadata(range, absent))).toEqual(absent);
    expect(absentMetadata(range, [])).toEqual({});
  });

  test.each([
    [57, 57, 1, ['000005']],
    [50, 59, 1, ['000005']],
    [59, 60, 1, ['000005', '000006']],
    [0, 99, 1, ['00000']],
    [16, 31, 16, ['00000']],
    [96, 111, 16, ['00000', '00001']],
    [0, 999, 1, ['0000']],
    [998, 2000, 1, ['0000', '0001', '0002']],
    // A part that begins with item 945 may hold item 1000.
    [1000, 1005, 63, ['00009', '00010']],
  ])('of the items %i to %i are listed with few others, with packs of %i', (first, last, pack, prefixes) => {
    expect(scoredPrefixes({ first, last }, pack)).toEqual(prefixes.map((prefix) => `scored/${prefix}`));
  });

  test('that may hold an item are all listed', () => {
    const missed: string[] = [];
    for (const pack of [1, 7, 63])
      for (let first = 0; first < 3000; first += 371)
        for (const count of [1, 9, 11, 120, 1700]) {
          const prefixes = scoredPrefixes({ first, last: first + count - 1 }, pack);
          const part = (index: number) => scoredPart({ first: index, last: index }, 1, 'png');
          for (let begin = packStart(first, pack); begin < first + count; begin += 1)
            if (!prefixes.some((prefix) => part(begin).startsWith(prefix))) missed.push(`${first} ${count} ${begin}`);
        }
    expect(missed).toEqual([]);
  });
});
