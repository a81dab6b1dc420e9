import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { ImageTensor } from '../../../src/model-card/schema.js';
import type { Picture } from '../../../src/scorer/pictures/codec.js';
import { constantTensor, createFeeder } from '../../../src/scorer/tensors/feeder.js';
import { packPicture } from '../../../src/scorer/tensors/pack.js';
import { allocateTensor, dimensionsOf, entryOf, numbersOf, outputSize } from '../../../src/scorer/tensors/tensor.js';
import { unpackPicture } from '../../../src/scorer/tensors/unpack.js';

const image = (given: Partial<ImageTensor>): ImageTensor => ({
  name: 'x',
  layout: 'NCHW',
  type: 'float32',
  channels: 'RGB',
  range: [0, 255],
  ...given,
});
/** Two pixels: (1, 2, 3) and (4, 5, 6). */
const picture: Picture = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };

function pack(tensor: ImageTensor, source: Picture, padded = { width: source.width, height: source.height }): number[] {
  const data = allocateTensor(tensor, padded);
  packPicture(source, tensor, padded, data);
  return [...data];
}

describe('packPicture', () => {
  it.each([
    [image({}), [1, 4, 2, 5, 3, 6]],
    [image({ channels: 'BGR' }), [3, 6, 2, 5, 1, 4]],
    [image({ layout: 'NHWC' }), [1, 2, 3, 4, 5, 6]],
    [image({ layout: 'NHWC', channels: 'BGR', type: 'uint8' }), [3, 2, 1, 6, 5, 4]],
  ])('%j', (tensor, expected) => {
    expect(pack(tensor, picture)).toEqual(expected);
  });

  it('maps 0..255 to the range', () => {
    const grey: Picture = { width: 1, height: 1, data: Uint8Array.of(0, 51, 255) };
    expect(pack(image({ range: [0, 1] }), grey)).toEqual([0, Math.fround(51 / 255), 1]);
    expect(pack(image({ range: [-1, 1] }), grey)).toEqual([-1, Math.fround(-0.6), 1]);
  });

  it('repeats the edge pixels', () => {
    const rows: Picture = { width: 1, height: 2, data: Uint8Array.of(1, 1, 1, 2, 2, 2) };
    expect(pack(image({}), rows, { width: 2, height: 3 })).toEqual([
      1, 1, 2, 2, 2, 2, 1, 1, 2, 2, 2, 2, 1, 1, 2, 2, 2, 2,
    ]);
  });
});

describe('unpackPicture', () => {
  const size = { width: 2, height: 1 };

  it.each(
    (['NCHW', 'NHWC'] as const).flatMap((layout) =>
      (['RGB', 'BGR'] as const).flatMap((channels) => [
        image({ layout, channels }),
        image({ layout, channels, range: [-1, 1] }),
      ]),
    ),
  )('undoes packPicture: %j', (tensor) => {
    expect(unpackPicture(Float32Array.from(pack(tensor, picture)), tensor, size, size)).toEqual(picture);
  });

  it('clamps and rounds', () => {
    const values = Float32Array.of(-44, 0.4, 0.6, 254.7, 272, 127.6);
    expect([...unpackPicture(values, image({ layout: 'NHWC' }), size, size).data]).toEqual([0, 0, 1, 255, 255, 128]);
  });

  it('cuts out the upper left', () => {
    const padded = { width: 3, height: 2 };
    const values = Float32Array.from(pack(image({}), picture, padded));
    expect(unpackPicture(values, image({}), padded, size)).toEqual(picture);
  });

  it.each([NaN, Infinity, -Infinity])('refuses %d and says how many', (bad) => {
    const values = Float32Array.of(1, bad, 3, bad, 5, 6);
    expect(() => unpackPicture(values, image({}), size, size)).toThrow(
      'the model gave 2 of 6 values that are not finite',
    );
  });
});

describe('outputSize', () => {
  it('reads both layouts', () => {
    expect(outputSize([1, 3, 4, 5], image({}))).toEqual({ width: 5, height: 4 });
    expect(outputSize([1, 4, 5, 3], image({ layout: 'NHWC' }))).toEqual({ width: 5, height: 4 });
    expect(dimensionsOf(image({ layout: 'NHWC' }), { width: 5, height: 4 })).toEqual([1, 4, 5, 3]);
  });

  it.each([[[1, 1000]], [[2, 3, 4, 5]], [[1, 1, 4, 5]], [[1, 3, 0, 5]], [[]]])('refuses %j with its shape', (dims) => {
    expect(() => outputSize(dims, image({}))).toThrow(`a tensor of shape [${dims.join(',')}]`);
  });
});

describe('an output of the wrong shape', () => {
  it.each([
    [[1, 4, 8, 8], '[1,4,8,8], not one NCHW picture of three colours'],
    [[2, 3, 8, 8], '[2,3,8,8], not one NCHW picture'],
    [[1, 192], '[1,192], not one NCHW picture'],
  ])('%j is an item failure with its numbers', (dims, says) => {
    expect(() => outputSize(dims, image({}))).toThrow(`the model gave a tensor of shape ${says}`);
  });

  it('is found when several pictures were scored together', () => {
    const tensor = new ort.Tensor('float32', new Float32Array(12), [3, 4]);
    expect(() => entryOf(tensor, 0, 2)).toThrow('the model gave a tensor of shape [3,4] for 2 pictures');
    expect(entryOf(tensor, 1, 3)).toMatchObject({ dims: [1, 4] });
  });
});

describe('a constant', () => {
  it.each(['float32', 'float16', 'uint8', 'int32', 'int64'])('of %s is repeated until the tensor is full', (type) => {
    const constant = constantTensor({ name: 'x', type, shape: ['batch', 2, 2] }, [1, 2]);
    expect(constant).toMatchObject({ type, dims: [1, 2, 2] });
    expect(Array.from(numbersOf(constant))).toEqual([1, 2, 2, 2]);
  });
});

it('a feeder fills up the pictures that a model takes at a time with the first one, also when it is used again', () => {
  const size = { fixed: null, longestSide: null, multipleOf: 1, minimum: 1 };
  const feed = createFeeder({ ...image({ layout: 'NHWC', type: 'uint8' }), size }, 3);
  const dot = (value: number): Picture => ({ width: 1, height: 1, data: new Uint8Array(3).fill(value) });
  expect([...(feed([dot(1), dot(2), dot(3)]).data as Uint8Array)]).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
  expect([...(feed([dot(4), dot(5)]).data as Uint8Array)]).toEqual([4, 4, 4, 5, 5, 5, 4, 4, 4]);
});
