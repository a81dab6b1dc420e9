import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { ClassesOutput, DetectionsOutput } from '../../src/job/model-card.js';
import { classify } from '../../src/scorer/classes.js';
import { detect } from '../../src/scorer/detections.js';
import { toNpy } from '../../src/scorer/npy.js';

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

describe('detect', () => {
  const card: DetectionsOutput = {
    kind: 'detections',
    name: 's',
    boxes: 'b',
    unit: 'fraction',
    background: [0],
    threshold: 0.5,
    overlap: 0.4,
    labels: ['nothing', 'face'],
  };
  const square = { width: 100, height: 100 };
  const facts = { plan: { scaled: square, padded: square }, original: { width: 200, height: 50 } };
  const scores = Float32Array.of(0.9, 0.1, 0.2, 0.8, 0.1, 0.9, 0.1, 0.6);
  const boxes = Float32Array.of(0, 0, 1, 1, 0.1, 0.1, 0.5, 0.5, 0.1, 0.1, 0.5, 0.6, 0.75, 0.5, 1.5, 1);

  it('gives boxes in pixels of the item, cut off at its edges, without those that overlap a better one', () => {
    const found = detect(scores, [1, 4, 2], boxes, card, facts);
    expect(found.map(({ index, label, box }) => [index, label, box.map(Math.round)])).toEqual([
      [1, 'face', [20, 5, 100, 30]],
      [1, 'face', [150, 25, 200, 50]],
    ]);
    expect(detect(scores, [1, 4, 2], boxes, { ...card, overlap: 1 }, facts)).toHaveLength(3);
  });

  it('reads pixels of the model’s input too', () => {
    const inPixels = boxes.map((value) => value * 100);
    expect(detect(scores, [1, 4, 2], inPixels, { ...card, unit: 'pixel' }, facts)[1]?.box).toEqual([150, 25, 200, 50]);
  });

  it('refuses shapes that do not go together', () => {
    expect(() => detect(scores, [1, 8], boxes, card, facts)).toThrow('scores of shape [1,8] and 4 boxes');
  });
});

describe('toNpy', () => {
  it.each([
    [new ort.Tensor('float32', Float32Array.of(1, 2, 3, 4), [2, 2]), "'<f4'", '(2, 2)'],
    [new ort.Tensor('uint8', Uint8Array.of(7), [1]), "'|u1'", '(1,)'],
    [new ort.Tensor('float16', Uint16Array.of(0x3c00), []), "'<f2'", '()'],
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

  it('refuses what NumPy has not', () => {
    expect(() => toNpy(new ort.Tensor('string', ['a'], [1]))).toThrow('the model gave string values');
  });
});
