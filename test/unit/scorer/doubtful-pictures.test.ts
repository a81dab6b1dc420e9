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

test('a picture that looks wrong at a glance costs little more than reading its values some times, so that the first frame of a 4K video does not wait for it', async () => {
  const values = new Float32Array(3 * 1920 * 1080);
  for (let at = 0; at < values.length; at += 1) values[at] = (at >> 8) % 2 === 0 ? 0 : 255;
  let sum = 0;
  const once = await cpuOf(() => {
    for (let round = 0; round < 10; round += 1) for (let at = 0; at < values.length; at += 1) sum += values[at] ?? 0;
  });
  expect(sum).toBeGreaterThan(0);
  expect(await cpuOf(() => findDoubt(values, card, () => Promise.resolve(values)))).toBeLessThan(once);
});

/** In milliseconds. */
async function cpuOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
