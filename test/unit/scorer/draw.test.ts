import { describe, expect, it } from 'vitest';
import type { Picture } from '../../../src/scorer/pictures/codec.js';
import { drawOutput } from '../../../src/scorer/outputs/draw.js';
import { drawable } from '../../../src/scorer/outputs/font.js';

const grey = (width: number, height: number): Picture => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(99),
});
const at = ({ width, data }: Picture, x: number, y: number) => [...data.subarray(3 * (y * width + x)).subarray(0, 3)];
const UNTOUCHED = [99, 99, 99];

/** Lines of a part of the picture: a letter for each colour, in the order in which they come. */
function show(
  picture: Picture,
  { left, top, width, height }: { left: number; top: number; width: number; height: number },
): string[] {
  const letters = new Map<string, string>();
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (__, x) => {
      const colour = at(picture, left + x, top + y).join();
      if (!letters.has(colour)) letters.set(colour, ' #oxyz'[letters.size] ?? '?');
      return letters.get(colour);
    }).join(''),
  );
}

const boxes = (
  ...detections: { index: number; label?: string; score: number; box: [number, number, number, number] }[]
) => ({ kind: 'record', record: { detections } }) as const;

describe('what a model found is drawn into the frame', () => {
  it('a box on its edges, with label and score above it', () => {
    const picture = drawOutput(grey(60, 60), boxes({ index: 0, label: 'I', score: 1, box: [10, 20.4, 50, 49.6] }));
    const [colour, inside] = [at(picture, 10, 30), at(picture, 30, 35)];
    expect([at(picture, 49, 30), at(picture, 30, 20), at(picture, 30, 49)]).toEqual([colour, colour, colour]);
    expect([at(picture, 9, 30), at(picture, 50, 30), at(picture, 30, 50)].flat()).toEqual(
      Array.from({ length: 9 }, () => 0),
    );
    expect([inside, at(picture, 8, 30), at(picture, 51, 30), at(picture, 30, 51)]).toEqual([
      UNTOUCHED,
      UNTOUCHED,
      UNTOUCHED,
      UNTOUCHED,
    ]);
    expect(colour).not.toEqual(UNTOUCHED);
    // "I" is a stroke between two serifs.
    expect(show(picture, { left: 10, top: 11, width: 7, height: 9 })).toEqual([
      '       ',
      '  ###  ',
      '   #   ',
      '   #   ',
      '   #   ',
      '   #   ',
      '   #   ',
      '  ###  ',
      '       ',
    ]);
  });

  it('the best box on top, and boxes of different classes in different colours', () => {
    const box: [number, number, number, number] = [5, 20, 40, 40];
    const alone = drawOutput(grey(60, 60), boxes({ index: 3, score: 0.9, box }));
    const both = drawOutput(grey(60, 60), boxes({ index: 3, score: 0.9, box }, { index: 4, score: 0.5, box }));
    const other = drawOutput(grey(60, 60), boxes({ index: 4, score: 0.5, box }));
    expect(at(both, 5, 35)).toEqual(at(alone, 5, 35));
    expect(at(other, 5, 35)).not.toEqual(at(alone, 5, 35));
  });

  it.each([
    [-20, -20, 90, 90],
    [0, 0, 60, 60],
    [58, 58, 60, 60],
    [30, 30, 30, 30],
    [0, 0, 0, 0],
  ])('a box at or beyond the edge of the frame (%i %i %i %i) within the frame', (...box) => {
    const picture = grey(60, 60);
    const guarded = { ...picture, data: new Uint8Array(picture.data.length) };
    guarded.data.set(picture.data);
    drawOutput(guarded, boxes({ index: 1, label: 'a label that is far wider than the frame', score: 0.5, box }));
    expect(guarded.data).toHaveLength(picture.data.length);
    expect(guarded.data.some((value, index) => value !== picture.data[index])).toBe(true);
  });

  it('lines and letters as much larger as the frame is', () => {
    const picture = drawOutput(grey(600, 600), boxes({ index: 0, score: 1, box: [100, 100, 500, 500] }));
    const colour = at(picture, 100, 300);
    expect([at(picture, 102, 300), at(picture, 103, 300)]).toEqual([colour, UNTOUCHED]);
  });

  it('half of a colour for each class of a mask but the first', () => {
    const mask = { width: 2, height: 2, data: new Uint8Array([0, 1, 255, 1]) };
    const picture = drawOutput(grey(2, 2), { kind: 'mask', picture: mask });
    const [none, one, found, again] = [at(picture, 0, 0), at(picture, 1, 0), at(picture, 0, 1), at(picture, 1, 1)];
    expect(none).toEqual(UNTOUCHED);
    expect(again).toEqual(one);
    for (const colour of [one, found]) expect(Math.max(...colour)).toBe(Math.round((99 + 255) / 2));
    expect(found).not.toEqual(one);
  });

  it('the best classes as lines in the corner', () => {
    const classes = [
      { index: 3, label: 'cat', score: 0.7 },
      { index: 9, score: 0.2 },
    ];
    const picture = drawOutput(grey(80, 80), { kind: 'record', record: { classes } });
    const drawn = Array.from({ length: 80 }, (_, y) => at(picture, 2, y).join() !== UNTOUCHED.join());
    expect(drawn.filter(Boolean)).toHaveLength(2 * 9);
    expect(at(picture, 79, 4)).toEqual(UNTOUCHED);
  });
});

it.each([
  ['Äpfel & Übergröße', 'Apfel & Ubergrosse'],
  ['naïve café', 'naive cafe'],
  ['自転車', '???'],
])('%s is written as %s', (label, written) => {
  expect(drawable(label)).toBe(written);
});
