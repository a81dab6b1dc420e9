import { describe, expect, it } from 'vitest';
import { completeCard } from '../../../src/model-card/complete-card.js';
import type { MaskOutput } from '../../../src/model-card/schema.js';
import type { TensorSignature } from '../../../src/model-card/signature.js';
import { readMask, resizeMask } from '../../../src/scorer/outputs/mask.js';
import type { OutputTensor } from '../../../src/scorer/tensors/tensor.js';

const card = (given: Partial<MaskOutput>): MaskOutput => ({
  kind: 'mask',
  name: 'y',
  layout: 'NCHW',
  method: 'argmax',
  threshold: 0.5,
  fit: 'crop',
  ...given,
});
const floats = (values: number[], dims: number[]): OutputTensor => ({
  type: 'float32',
  dims,
  data: Float32Array.from(values),
});
const two = { width: 2, height: 1 };
const plan = { scaled: two, padded: two };
const read = (tensor: OutputTensor, given: Partial<MaskOutput>) => [...readMask(tensor, card(given), plan).data];

describe('readMask', () => {
  it('takes the channel with the highest value, the first of equals', () => {
    expect(read(floats([1, 0, 1, 5, 0, 9], [1, 3, 1, 2]), {})).toEqual([0, 2]);
    expect(read(floats([1, 2, 3, 4, 0, 0], [1, 1, 2, 3]), { layout: 'NHWC' })).toEqual([2, 0]);
  });

  it('finds what reaches the threshold', () => {
    expect(read(floats([0.5, 0.49], [1, 1, 1, 2]), { method: 'threshold' })).toEqual([255, 0]);
    expect(read(floats([-1, 1], [1, 1, 2]), { method: 'threshold', threshold: 0 })).toEqual([0, 255]);
  });

  it('takes classes as they are, from whole numbers of any type', () => {
    const ids = { type: 'int64', dims: [1, 1, 2], data: BigInt64Array.of(0n, 21n) } as const;
    expect(read(ids, { method: 'ids' })).toEqual([0, 21]);
    expect(read({ type: 'int32', dims: [1, 1, 1, 2], data: Int32Array.of(3, 4) }, { method: 'ids' })).toEqual([3, 4]);
  });

  it('cuts off the padding', () => {
    const padded = { width: 4, height: 2 };
    const values = [1, 0, 1, 1, 1, 1, 1, 1];
    const mask = readMask(floats(values, [1, 1, 2, 4]), card({ method: 'threshold' }), { scaled: two, padded });
    expect(mask).toEqual({ ...two, data: Uint8Array.of(255, 0) });
  });

  it.each([
    ['too many channels', floats([1, 2, 3, 4], [1, 2, 1, 2]), 'threshold', 'which is no mask by threshold'],
    ['one channel', floats([1, 2], [1, 1, 1, 2]), 'argmax', 'which is no mask by argmax'],
    ['a vector', floats([1, 2], [1, 2]), 'threshold', 'a tensor of shape [1,2]'],
    ['NaN', floats([NaN, 2], [1, 1, 1, 2]), 'threshold', 'the model gave 1 of 2 values that are not finite numbers'],
    ['a class that no byte holds', floats([256, 2], [1, 1, 1, 2]), 'ids', 'the model gave the class 256'],
    ['parts of classes', floats([0.5, 2], [1, 1, 1, 2]), 'ids', 'the model gave the class 0.5'],
  ] as const)('refuses %s', (_what, tensor, method, says) => {
    expect(() => read(tensor, { method })).toThrow(says);
  });
});

it('resizeMask keeps classes apart', () => {
  const mask = { width: 2, height: 1, data: Uint8Array.of(0, 9) };
  expect([...resizeMask(mask, { width: 5, height: 2 }).data]).toEqual([0, 0, 9, 9, 9, 0, 0, 9, 9, 9]);
  expect(resizeMask(mask, { width: 2, height: 1 })).toBe(mask);
});

describe('the card of a mask', () => {
  const input: TensorSignature = { name: 'x', type: 'float32', shape: [1, 3, 64, 64] };
  const complete = (shape: TensorSignature['shape'], type = 'float32', output = {}) =>
    completeCard({ output: { kind: 'mask', ...output } }, { inputs: [input], outputs: [{ name: 'y', type, shape }] })
      .output;

  it.each([
    [[1, 21, 64, 64], 'float32', { method: 'argmax', fit: 'crop' }],
    [[1, 1, 64, 64], 'float16', { method: 'threshold', threshold: 0.5 }],
    [[1, 64, 64], 'int64', { method: 'ids' }],
    [[1, 2, 16, 16], 'float32', { method: 'argmax', fit: 'resize' }],
  ])('%j %s', (shape, type, expected) => {
    expect(complete(shape, type)).toMatchObject({ kind: 'mask', layout: 'NCHW', ...expected });
  });

  it.each([
    [[1, 21, 64, 64], 'float32', { method: 'threshold' }, 'has 21 channels: set "output.method" to "argmax"'],
    [[1, 1, 64, 64], 'float32', { method: 'argmax' }, 'has one channel'],
    [[1, 300, 64, 64], 'float32', {}, 'has 300 classes, and a mask holds 256'],
    [[1, 10], 'float32', {}, 'is not a mask: a mask has 3 or 4 dimensions'],
    [[1, 64, 64], 'string', {}, 'is not a mask'],
  ])('%j %s %j is refused', (shape, type, output, says) => {
    expect(() => complete(shape, type, output)).toThrow(says);
  });
});
