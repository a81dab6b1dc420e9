import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { ClassesOutput, DetectionsOutput } from '../../../src/model-card/schema.js';
import { readBoxTable } from '../../../src/scorer/outputs/box-table.js';
import { classify, doubtScores } from '../../../src/scorer/outputs/classes.js';
import { detect } from '../../../src/scorer/outputs/detections.js';
import { toNpy } from '../../../src/scorer/outputs/read-output.js';

describe('classify', () => {
  const card: ClassesOutput = { kind: 'classes', name: 'y', top: 2, softmax: false, labels: ['a', 'b', 'c'] };

  it('gives the best first, the first of equals, with labels where there are any', () => {
    const values = Float32Array.of(0.25, 0.5, 0.5);
    expect(classify(values, card)).toEqual([
      { index: 1, label: 'b', score: 0.5 },
      { index: 2, label: 'c', score: 0.5 },
    ]);
    expect(classify(values, { ...card, labels: [] })[0]).toEqual({ index: 1, score: 0.5 });
  });

  it('refuses labels that are not as many as the scores', () => {
    expect(() => classify(Float32Array.of(1, 2), card)).toThrow('gives 2 classes, but its card or label file names 3');
  });

  it('turns logits of any size into probabilities', () => {
    const found = classify(Float32Array.of(1000, 1000, -1000), { ...card, labels: [], softmax: true });
    expect(found.map(({ score }) => score)).toEqual([0.5, 0.5]);
  });
});

describe('doubtScores', () => {
  const card: ClassesOutput = { kind: 'classes', name: 'y', top: 2, softmax: false, labels: [] };

  it('tells of scores that are passed on as they are and are plainly no probabilities', () => {
    expect(doubtScores(Float32Array.of(0.2, 3), card)).toMatch(/below 0 or above 1/);
    expect(doubtScores(Float32Array.of(-0.5, 0.2), card)).toMatch(/below 0 or above 1/);
    expect(doubtScores(Float32Array.of(0, 1.0004), card)).toBeUndefined();
    expect(doubtScores(Float32Array.of(0.2, 3), { ...card, softmax: true })).toBeUndefined();
  });

  it('leaves values that are no numbers to the failure of their picture', () => {
    expect(doubtScores(Float32Array.of(0.5, NaN, Infinity), card)).toBeUndefined();
  });
});

describe('detect', () => {
  const card: DetectionsOutput = {
    kind: 'detections',
    name: 's',
    boxes: 'b',
    format: 'ltrb',
    unit: 'fraction',
    background: [0],
    threshold: 0.5,
    overlap: 0.4,
    labels: ['nothing', 'face'],
  };
  const square = { width: 100, height: 100 };
  const facts = { plan: { scaled: square, padded: square }, original: { width: 200, height: 50 } };
  const scores = [0.9, 0.1, 0.2, 0.8, 0.1, 0.9, 0.1, 0.6];
  const boxes = [0, 0, 1, 1, 0.1, 0.1, 0.5, 0.5, 0.1, 0.1, 0.5, 0.6, 0.75, 0.5, 1.5, 1];
  const found = [
    [1, 'face', [20, 5, 100, 30]],
    [1, 'face', [150, 25, 200, 50]],
  ];
  const floats = (values: number[], dims: number[]) => new ort.Tensor('float32', Float32Array.from(values), dims);
  const inTwo = { s: floats(scores, [1, 4, 2]), b: floats(boxes, [1, 4, 4]) };
  const read = (outputs: Record<string, ort.Tensor>, given: Partial<DetectionsOutput> = {}) => {
    const pick = (name: string) => outputs[name] ?? expect.unreachable(name);
    return detect(readBoxTable({ ...card, ...given }, pick, square), { ...card, ...given }, facts);
  };
  const rounded = (...given: Parameters<typeof read>) =>
    read(...given).map(({ index, label, box }) => [index, label, box.map(Math.round)]);
  /** Four rows of a box and these numbers. */
  const rows = (toBox: (box: number[]) => number[], ...more: ((row: number) => number)[]) =>
    [0, 1, 2, 3].map((row) => [...toBox(boxes.slice(row * 4, row * 4 + 4)), ...more.map((number) => number(row))]);
  const toCentre = ([left = 0, top = 0, right = 0, bottom = 0]: number[]) => [
    (left + right) / 2,
    (top + bottom) / 2,
    right - left,
    bottom - top,
  ];
  const score = (kind: number) => (row: number) => scores[row * 2 + kind] ?? 0;
  const best = (row: number) => Math.max(score(0)(row), score(1)(row));
  const kindOf = (row: number) => (score(1)(row) > score(0)(row) ? 1 : 0);
  const logit = (share: number) => Math.log(share / (1 - share));

  it('gives boxes in pixels of the item, cut off at its edges, without those that overlap a better one', () => {
    expect(rounded(inTwo)).toEqual(found);
    expect(read(inTwo, { overlap: 1 })).toHaveLength(3);
    expect(read(inTwo, { overlap: 1, top: 1 }).map(({ score: given }) => given)).toEqual([Math.fround(0.9)]);
  });

  it('reads pixels of the model’s input too', () => {
    const pixels = floats(
      boxes.map((value) => value * 100),
      [1, 4, 4],
    );
    expect(read({ ...inTwo, b: pixels }, { unit: 'pixel' })[1]?.box).toEqual([150, 25, 200, 50]);
  });

  it('takes the padding of pictures in their proportions into account', () => {
    const padded = {
      plan: { scaled: { width: 100, height: 50 }, padded: square },
      original: { width: 200, height: 100 },
    };
    const one = {
      ...inTwo,
      b: floats([0.5, 0.25, 1, 0.5, ...Array<number>(12).fill(0)], [1, 4, 4]),
      s: floats([0, 1, 0, 0, 0, 0, 0, 0], [1, 4, 2]),
    };
    const table = readBoxTable(card, (name) => one[name === 's' ? 's' : 'b'], square);
    expect(detect(table, card, padded)[0]?.box).toEqual([100, 50, 200, 100]);
  });

  it.each<[DetectionsOutput['format'], (box: number[]) => number[]]>([
    ['tlbr', ([left = 0, top = 0, right = 0, bottom = 0]) => [top, left, bottom, right]],
    ['ltwh', ([left = 0, top = 0, right = 0, bottom = 0]) => [left, top, right - left, bottom - top]],
    ['center', toCentre],
  ])('reads boxes as %s', (format, toBox) => {
    const b = floats(rows(toBox).flat(), [1, 4, 4]);
    expect(rounded({ ...inTwo, b }, { format })).toEqual(found);
  });

  it('reads classes that the model chose, with or without a dimension for the batch', () => {
    const given = { classes: 'k', background: [0] };
    const ids = BigInt64Array.from([0, 1, 2, 3], (row) => BigInt(kindOf(row)));
    const chosen = [0, 1, 2, 3].map(best);
    const batched = { ...inTwo, s: floats(chosen, [1, 4]), k: floats([0, 1, 1, 1], [1, 4]) };
    expect(rounded(batched, given)).toEqual(found);
    const alone = { s: floats(chosen, [4]), b: floats(boxes, [4, 4]), k: new ort.Tensor('int64', ids, [4]) };
    expect(rounded(alone, given)).toEqual(found);
    const nothing = { s: floats([], [0]), b: floats([], [0, 4]), k: floats([], [0]) };
    expect(read(nothing, given)).toEqual([]);
  });

  it('reads one tensor of boxes and scores, row by row or column by column', () => {
    const one = { boxes: 's', format: 'center', classCount: 2 } as const;
    const table = rows(toCentre, score(0), score(1));
    expect(rounded({ s: floats(table.flat(), [1, 4, 6]) }, one)).toEqual(found);
    const columns = [0, 1, 2, 3, 4, 5].flatMap((number) => table.map((row) => row[number] ?? NaN));
    expect(rounded({ s: floats(columns, [1, 6, 4]) }, { ...one, transposed: true })).toEqual(found);
    const sure = rows(toCentre, () => 0.5, score(0), score(1));
    const [first] = read({ s: floats(sure.flat(), [1, 4, 7]) }, { ...one, objectness: true, threshold: 0.3 });
    expect(first?.score).toBeCloseTo(0.45);
    const ended = rows((box) => box, best, kindOf);
    expect(rounded({ s: floats(ended.flat(), [1, 4, 6]) }, { boxes: 's', classes: 's' })).toEqual(found);
    expect(rounded({ s: floats(ended.flat(), [1, 4, 6]) }, { boxes: 's' })).toEqual(found);
  });

  it('turns logits into probabilities', () => {
    const s = floats(
      scores.map((share) => logit(share)),
      [1, 4, 2],
    );
    expect(rounded({ ...inTwo, s }, { activation: 'sigmoid' })).toEqual(found);
    const [first] = read({ ...inTwo, s: floats([0, 0, 0, 0, 0, 3, 0, 0], [1, 4, 2]) }, { activation: 'softmax' });
    expect(first?.score).toBeCloseTo(1 / (1 + Math.exp(-3)));
  });

  it.each<[string, Partial<Record<'s' | 'b' | 'k', number[]>>, Partial<DetectionsOutput>, string]>([
    ['a vector of scores', { s: [1, 8] }, {}, 'scores of shape [1,8], 4 boxes'],
    ['fewer boxes than scores', { b: [1, 3, 4] }, {}, 'scores of shape [1,4,2], 3 boxes'],
    ['too few classes', { s: [1, 4], k: [1, 3] }, { classes: 'k' }, 'scores of shape [1,4], 4 boxes and 3 classes'],
    [
      'rows without scores',
      { s: [1, 9, 4] },
      { boxes: 's', transposed: false },
      '4 numbers for each box instead of 5 or more',
    ],
    ['rows without classes', { s: [1, 9, 5] }, { boxes: 's', classes: 's' }, '5 numbers for each box instead of 6'],
    ['a tensor of two pictures', { s: [2, 2, 6] }, { boxes: 's' }, 'boxes of shape [2,2,6]'],
  ])('refuses %s', (_what, shapes, given, says) => {
    const outputs = Object.fromEntries(
      Object.entries({ s: [1, 4, 2], b: [1, 4, 4], ...shapes }).map(([name, dims]) => [
        name,
        floats(Array<number>(dims.reduce((one, other) => one * other)).fill(0.1), dims),
      ]),
    );
    expect(() => read(outputs, given)).toThrow(says);
  });

  it.each(['s', 'b'])('refuses numbers that are none in %s', (name) => {
    const bad = {
      ...inTwo,
      [name]: floats(Array<number>(name === 's' ? 8 : 16).fill(NaN), name === 's' ? [1, 4, 2] : [1, 4, 4]),
    };
    expect(() => read(bad)).toThrow('values that are not finite numbers');
  });

  it('counts only the boxes that the model says to count, and none of a class below 0', () => {
    const given = { classes: 'k', count: 'n', background: [] };
    const all = {
      ...inTwo,
      s: floats([0.9, 0.8, 0.7, 0.6], [1, 4]),
      b: floats(
        [...Array(4).keys()].flatMap((k) => [k / 8, 0, k / 8 + 0.1, 1]),
        [1, 4, 4],
      ),
    };
    const n = new ort.Tensor('int32', Int32Array.of(3), [1, 1]);
    expect(read({ ...all, k: floats([1, -1, 0, 1], [1, 4]), n }, given).map(({ index }) => index)).toEqual([1, 0]);
  });

  it('reads boxes and scores of columns, and numbers in any order, and leaves out what follows the scores', () => {
    const columns = (values: number[], numbers: number) =>
      floats(
        Array.from({ length: numbers }, (_, number) => values.filter((_value, at) => at % numbers === number)).flat(),
        [1, numbers, 4],
      );
    expect(rounded({ s: columns(scores, 2), b: columns(boxes, 4) }, { transposed: true })).toEqual(found);
    const first = [0, 1, 2, 3].map((row) => [kindOf(row), best(row), ...boxes.slice(row * 4, row * 4 + 4)]);
    const order = { boxes: 's', classes: 's', columns: { class: 0, score: 1, box: 2 } };
    expect(rounded({ s: floats(first.flat(), [1, 4, 6]) }, order)).toEqual(found);
    const points = rows(
      (box) => box,
      score(0),
      score(1),
      () => 316,
      () => -2,
    );
    expect(rounded({ s: floats(points.flat(), [1, 4, 8]) }, { boxes: 's', classCount: 2 })).toEqual(found);
  });

  it.each<[string, Partial<DetectionsOutput>, number[], RegExp]>([
    ['a score above 1', { classCount: 2 }, [0, 0, 1, 1, 0.5, 316], /score 316.*"output\.classCount"/],
    ['a score below 0', { classCount: 2 }, [0, 0, 1, 1, -3, 0.9], /score -3.*"output\.activation"/],
    ['a class that is no whole number', { classes: 's' }, [0, 0, 1, 1, 0.9, 0.43], /class 0\.43.*"output\.columns"/],
    ['pixels as fractions', { classes: 's' }, [10, 10, 50, 50, 0.9, 1], /"output\.unit" to "pixel"/],
    [
      'fractions as pixels',
      { classes: 's', unit: 'pixel' },
      [0.1, 0.1, 0.9, 0.9, 0.9, 1],
      /"output\.unit" to "fraction"/,
    ],
    ['centres as corners', { classes: 's' }, [0.8, 0.8, 0.2, 0.2, 0.9, 1], /ends before it begins.*"output\.format"/],
  ])('refuses %s with what to change in the card', (_what, given, row, says) => {
    const outputs = { s: floats([...row, ...Array<number>(18).fill(0)], [1, 4, 6]) };
    const caught = (() => {
      try {
        return read(outputs, { boxes: 's', ...given, background: [] });
      } catch (error) {
        return error;
      }
    })();
    expect(caught).toMatchObject({ blame: 'item', message: expect.stringMatching(says) });
  });

  it('refuses labels that are not as many as the classes', () => {
    expect(() => read(inTwo, { labels: ['a'] })).toThrow('gives 2 classes, but its card or label file names 1');
  });
});

describe('toNpy', () => {
  it.each([
    [new ort.Tensor('float32', Float32Array.of(1, 2, 3, 4), [2, 2]), "'<f4'", '(2, 2)'],
    [new ort.Tensor('uint8', Uint8Array.of(7), [1]), "'|u1'", '(1,)'],
    [new ort.Tensor('float16', Uint16Array.of(0x3c00), []), "'<f2'", '()'],
    [new ort.Tensor('int64', BigInt64Array.of(-1n, 7n), [1, 2]), "'<i8'", '(1, 2)'],
    [new ort.Tensor('bool', Uint8Array.of(0, 1), [2]), "'|b1'", '(2,)'],
  ])('writes the header and the values', (tensor, type, shape) => {
    const file = Buffer.from(toNpy(tensor));
    const start = 10 + file.readUInt16LE(8);
    expect(start % 64).toBe(0);
    expect(file.toString('latin1', 1, 6)).toBe('NUMPY');
    const header = file.toString('latin1', 10, start);
    expect(header).toContain(`'descr': ${type}, 'fortran_order': False, 'shape': ${shape}, }`);
    expect(header.endsWith('\n')).toBe(true);
    const values = Buffer.from((tensor.data as Uint8Array).buffer);
    expect(file.subarray(start).equals(values)).toBe(true);
  });

  it.each([
    new ort.Tensor('float32', Float32Array.of(1, NaN), [2]),
    new ort.Tensor('float64', Float64Array.of(-Infinity, 1), [2]),
    new ort.Tensor('float16', Uint16Array.of(0x3c00, 0x7e00), [2]),
  ])('refuses values that are no numbers: $type', (tensor) => {
    expect(() => toNpy(tensor)).toThrow('the model gave 1 of 2 values that are not finite numbers');
  });

  it('refuses what NumPy has not', () => {
    expect(() => toNpy(new ort.Tensor('string', ['a'], [1]))).toThrow('the model gave string values');
  });
});
