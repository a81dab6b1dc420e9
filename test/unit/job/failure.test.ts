import { expect, test } from 'vitest';
import { counted } from '../../../src/job/failure.js';

test.each([
  [1, 'batch', '1 batch'],
  [0, 'frame', '0 frames'],
  [2, 'batch', '2 batches'],
  [3, 'class', '3 classes'],
  [0.5, 'core', '0.5 cores'],
])('%d of "%s" reads "%s"', (count, one, text) => {
  expect(counted(count, one)).toBe(text);
});
