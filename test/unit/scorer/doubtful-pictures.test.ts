import { expect, test } from 'vitest';
import { findDoubt } from '../../../src/scorer/engine/doubtful-pictures.js';

const SIDE = 400;
const tensor = {
  name: 'x',
  type: 'float32',
  layout: 'NCHW',
  channels: 'RGB',
  range: [0, 255] as [number, number],
} as const;
const card = {
  input: { ...tensor, size: { multipleOf: 1, minimum: 1, fixed: null, longestSide: null } },
  output: tensor,
};
const grey = () => new Float32Array(3 * SIDE * SIDE).fill(128);
const noOther = () => Promise.reject(new Error('no other range'));

test('a picture of one colour is doubted', async () => {
  expect(await findDoubt(grey(), card, noOther)).toMatch(/in one colour/);
});

test('a picture is not doubted that shows something in a few pixels alone, wherever they are', async () => {
  const values = grey();
  values[SIDE + 1] = 0;
  expect(await findDoubt(values, card, noOther)).toBeUndefined();
});
