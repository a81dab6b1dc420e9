import { expect, test } from 'vitest';
import { arrayBytes } from '../../../src/model-card/array-bytes.js';

const bytes = (
  shape: (number | string)[],
  { type = 'float32', batch = 1, runs = [] as number[][], pixels = 1_000_000 } = {},
) =>
  arrayBytes(
    { name: 'y', type, shape },
    {
      batch,
      pixels,
      runs: runs.map((dims, k) => ({ input: { width: k === 0 ? 200 : 100, height: 100 }, outputs: { y: dims } })),
    },
  );

test.each<[string, number, number]>([
  ['a vector of a fixed length', bytes([1, 1000]), 4000],
  ['smaller values', bytes([1, 3, 10, 10], { type: 'uint8' }), 300],
  ['half floats', bytes([1, 1000], { type: 'float16' }), 2000],
  ['whole numbers of 64 bits', bytes([1, 10], { type: 'int64' }), 80],
  ['truth values', bytes([1, 10], { type: 'bool' }), 10],
  ['any number of pictures', bytes(['batch', 512]), 2048],
  ['eight pictures at a time', bytes([8, 512], { batch: 8 }), 2048],
  ['one of eight rows for one picture', bytes([8, 512]), 8 * 2048],
  ['one number', bytes([1]), 4],
])('the array of %s is known', (_what, found, expected) => {
  expect(found - 128).toBe(expected);
});

test('what a run showed counts where the model does not say it, and grows with the picture if it did so in the runs', () => {
  expect(
    bytes(['n', 'd'], {
      runs: [
        [1, 768],
        [1, 768],
      ],
    }) - 128,
  ).toBe(4 * 768);
  const grows = {
    runs: [
      [1, 1, 100, 200],
      [1, 1, 100, 100],
    ],
  };
  expect(bytes(['n', 1, 'h', 'w'], grows) - 128).toBe(4 * 1_000_000);
  expect(bytes(['n', 1, 'h', 'w'], { ...grows, pixels: 2_000_000 }) - 128).toBe(4 * 2_000_000);
});

test('what nobody knows is taken for large', () => {
  expect(bytes(['n', 1, 'h', 'w']) - 128).toBe(4 * 1024 * 1024);
  expect(bytes([]) - 128).toBe(4 * 1024 * 1024);
});
