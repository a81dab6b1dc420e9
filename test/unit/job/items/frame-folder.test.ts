import { describe, expect, test } from 'vitest';
import {
  inFrameOrder,
  isSoundBeside,
  missingNumbers,
  readFrameRate,
  requireSingle,
} from '../../../../src/job/items/frame-folder.js';

describe('a frame rate', () => {
  test.each([
    [24, 24, 1],
    ['24', 24, 1],
    ['24/1', 24, 1],
    ['24000/1001', 24_000, 1001],
    ['30000/1001', 30_000, 1001],
    ['120000/1001', 120_000, 1001],
    ['48/2', 24, 1],
    ['25/2', 25, 2],
    ['1/60', 1, 60],
    [240, 240, 1],
  ])('is %j', (given, num, den) => {
    expect(readFrameRate(given)).toEqual({ num, den });
  });

  test.each([
    ['a decimal, of which nobody knows the fraction', 23.976],
    ['the same as text', '29.97'],
    ['nothing', 0],
    ['negative', -24],
    ['too many', 241],
    ['too few', '1/61'],
    ['over nothing', '24/0'],
    ['no number', 'NaN'],
    ['another number', '2e1'],
    ['empty', ''],
    ['with a unit', '24 fps'],
    ['finer than the times of frames', '240001/1001'],
    ['endless', Infinity],
  ])('is not %s', (_, given) => {
    expect(readFrameRate(given)).toBeUndefined();
  });
});

const ordered = (names: string[]) => inFrameOrder(names.map((name) => ({ name }))).map(({ name }) => name);

describe('frames', () => {
  test.each([
    [
      ['f1.png', 'f10.png', 'f2.png'],
      ['f1.png', 'f2.png', 'f10.png'],
    ],
    [
      ['f010.png', 'f9.png', 'f0011.png'],
      ['f9.png', 'f010.png', 'f0011.png'],
    ],
    [
      ['s2/f1.png', 's10/f1.png', 's2/f10.png'],
      ['s2/f1.png', 's2/f10.png', 's10/f1.png'],
    ],
    [
      ['b.png', 'a.png'],
      ['a.png', 'b.png'],
    ],
    [
      ['99999999999999999999.png', '100000000000000000000.png'],
      ['99999999999999999999.png', '100000000000000000000.png'],
    ],
    [
      ['1.png', '01.png'],
      ['01.png', '1.png'],
    ],
    [
      ["it's 10.png", "it's 9.png"],
      ["it's 9.png", "it's 10.png"],
    ],
  ])('come in the order of their numbers: %j', (given, expected) => {
    expect(ordered(given)).toEqual(expected);
    expect(ordered(given.toReversed())).toEqual(expected);
  });

  test('of one name in two formats are found', () => {
    expect(() => requireSingle(['a1.jpg', 'a1.png', 'a2.jpg'], 'shots/')).toThrow(
      'a1.jpg and a1.png in shots/ are two files for one frame',
    );
    requireSingle(['a1.jpg', 'a2.png', 'b/a2.png'], 'shots/');
  });
});

const numbered = (numbers: number[]) => numbers.map((number) => `frame_${String(number).padStart(4, '0')}.png`);
const range = (from: number, to: number, step = 1) =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, k) => from + k * step);

describe('numbers that are missing between frames', () => {
  test.each([
    ['one', [...range(1, 6), ...range(8, 20)], /^1 number is missing between the frames \(frame_0007\); /],
    ['several', [...range(1, 6), ...range(9, 12), 14], /^3 numbers are missing .* \(frame_0007 and 2 more\); /],
    ['among every tenth', [0, 10, 20, 40, 50], /^1 number is missing .* \(frame_0030\); /],
  ])('are said: %s', (_, numbers, sentence) => {
    expect(missingNumbers(numbered(numbers))).toMatch(sentence);
  });

  test.each([
    ['all are there', numbered(range(7, 40))],
    ['only every tenth was taken', numbered(range(0, 100, 10))],
    ['one frame', numbered([12])],
    ['no numbers', ['a.png', 'b.png']],
    ['numbers that count something else', numbered([3, 4, 90, 400, 2000])],
    ['one series behind the other', ['a1.png', 'a2.png', 'b7.png', 'b8.png']],
    ['numbers in folders', ['shot 1/f1.png', 'shot 1/f2.png', 'shot 5/f1.png', 'shot 5/f2.png']],
  ])('are none: %s', (_, names) => {
    expect(missingNumbers(names)).toBeUndefined();
  });
});

test.each(['audio.m4a', 'audio.mp3', 'Audio.WAV', 'audio.flac', 'audio.aac', 'audio.ogg', 'audio.opus'])(
  '%s is the sound of the frames beside it',
  (name) => {
    expect(isSoundBeside(name)).toBe(true);
    expect(isSoundBeside(`takes/${name}`)).toBe(false);
  },
);

test.each(['audio', 'audio.txt', 'my audio.mp3', 'audio.mp3.part', 'music.mp3'])(
  '%s is not the sound of the frames beside it',
  (name) => {
    expect(isSoundBeside(name)).toBe(false);
  },
);
