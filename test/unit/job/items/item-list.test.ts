import { describe, expect, test } from 'vitest';
import {
  createOutputNames,
  formatList,
  groupsOf,
  LIST_LENGTH,
  parseList,
  placeOf,
} from '../../../../src/job/items/item-list.js';

const nameAll = (names: string[]) => names.map(createOutputNames());

describe('outputs are named after their inputs', () => {
  test('without their ending, folders and all', () => {
    expect(nameAll(['a.jpg', 'b.c.png', 'nested/a.jpg', 'nested/deep.er/x', 'ä #1 100%.gif'])).toEqual([
      'a',
      'b.c',
      'nested/a',
      'nested/deep.er/x',
      'ä #1 100%',
    ]);
  });

  test('of inputs that differ in their ending only, the first has the short name and the others their full one', () => {
    expect(nameAll(['a.bmp', 'a.jpg', 'a.png', 'b.png'])).toEqual(['a', 'a.jpg', 'a.png', 'b']);
  });

  test.each([
    ['a full name that a later input would have been given', ['a.jpg', 'a.png', 'a.png.jpg', 'a.png.png']],
    ['other names between two of one stem', ['a.jpg', 'a.jpg2/x.jpg', 'a.k/a.jpg', 'a.k/a.png', 'a.png']],
    ['a name without ending', ['photo', 'photo-1.jpg', 'photo.jpg', 'photo.png']],
    ['endings in capitals', ['A.JPG', 'A.jpg', 'a.JPG', 'a.jpg']],
    ['names that are endings only', ['.jpg', '.png', 'x/.jpg', 'x/.png']],
  ])('no two are the same: %s', (_, names) => {
    const sorted = names.toSorted((a, b) => (a < b ? -1 : 1));
    const outputs = nameAll(sorted);
    expect(new Set(outputs).size).toBe(names.length);
    expect(new Set(nameAll(sorted))).toEqual(new Set(outputs));
  });

  test('no two of all short names over a few letters are the same', () => {
    const letters = ['a', '.', '-', '/', 'b'];
    let names = [''];
    for (let length = 0; length < 6; length += 1)
      names = names.flatMap((name) => letters.map((letter) => name + letter));
    const all = names.concat(names.map((name) => name.slice(2))).filter((name) => name !== '');
    const sorted = [...new Set(all)].toSorted((a, b) => (a < b ? -1 : 1));
    expect(sorted.length).toBeGreaterThan(15_000);
    expect(new Set(nameAll(sorted)).size).toBe(sorted.length);
  });
});

describe('item lists', () => {
  const item = (index: number) => ({ name: `${index}.jpg`, output: String(index) });
  async function* items(count: number) {
    for (let index = 0; index < count; index += 1) yield item(index);
  }

  test('hold a thousand items each, in order, and an item is where its index says', async () => {
    const lists = [];
    for await (const list of groupsOf(items(2 * LIST_LENGTH + 1), LIST_LENGTH)) lists.push(parseList(formatList(list)));
    expect(lists.map((list) => list.length)).toEqual([LIST_LENGTH, LIST_LENGTH, 1]);
    for (const index of [0, 999, 1000, 2000]) {
      const { list, line } = placeOf(index);
      expect(lists[list]?.[line]).toEqual(item(index));
    }
  });

  test('names may hold line breaks', () => {
    const odd = [{ name: 'a\nb".jpg', output: 'a\nb"' }];
    expect(parseList(formatList(odd))).toEqual(odd);
  });
});
