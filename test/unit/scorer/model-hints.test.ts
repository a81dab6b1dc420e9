import { expect, test } from 'vitest';
import { readHints } from '../../../src/scorer/onnx/model-hints.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';

test.each([
  ['RandomNormal', 'RandomNormal'],
  ['RandomUniformLike', 'RandomUniformLike'],
  ['Bernoulli', 'Bernoulli'],
  ['Identity', undefined],
])('a model that draws random numbers tells it: %s', (operator, random) => {
  expect(readHints(tinyModel({ operator, shape: [1, 3, 2, 2] })).random).toBe(random);
});
