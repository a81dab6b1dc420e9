import { expect, test } from 'vitest';
import { readPpm, writePpm } from '../../../src/scorer/pictures/files/ppm.js';

const picture = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };

test('pixels of a frame that fills its memory stay where they are', () => {
  const file = new Uint8Array(writePpm(picture));
  const { data } = readPpm(file);
  expect([...data]).toEqual([...picture.data]);
  expect(data.buffer).toBe(file.buffer);
});

test('pixels of a frame that shares its memory with others get memory of their own, which may move to another thread', () => {
  const file = writePpm(picture);
  const shared = new Uint8Array(2 * file.length);
  shared.set(file, file.length);
  const { data } = readPpm(shared.subarray(file.length));
  structuredClone(data, { transfer: [data.buffer] });
  expect([...shared.subarray(file.length)]).toEqual([...file]);
});
