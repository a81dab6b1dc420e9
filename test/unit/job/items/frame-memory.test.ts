import { expect, test } from 'vitest';
import { FrameMemory } from '../../../../src/job/items/frame-memory.js';

const FRAME = 691_215;

test('the memory of a frame is used for another one once it is given back, and not before', () => {
  const memory = new FrameMemory();
  const [one, two] = [memory.take(FRAME), memory.take(FRAME)];
  expect([one.length, two.length, one.buffer === two.buffer]).toEqual([FRAME, FRAME, false]);
  memory.giveBack(one.subarray(100));
  const again = memory.take(FRAME);
  expect(again.buffer).toBe(one.buffer);
  expect(again.length).toBe(FRAME);
  expect(memory.take(FRAME).buffer).not.toBe(two.buffer);
});

test('memory that is given back twice, of another size or not lent is not used for two frames', () => {
  const memory = new FrameMemory();
  const frame = memory.take(FRAME);
  memory.giveBack(frame);
  memory.giveBack(frame);
  const [one, two] = [memory.take(FRAME), memory.take(FRAME)];
  expect(one.buffer).not.toBe(two.buffer);

  memory.giveBack(one);
  const larger = memory.take(FRAME + 1);
  expect([larger.length, larger.buffer === one.buffer]).toEqual([FRAME + 1, false]);
  memory.giveBack(two);
  expect(memory.take(FRAME + 1).length).toBe(FRAME + 1);

  const other = Buffer.alloc(FRAME);
  memory.giveBack(other);
  expect(memory.take(FRAME).buffer).not.toBe(other.buffer);
});

test('small frames share memory with others, and nothing is kept of them', () => {
  const memory = new FrameMemory();
  const small = memory.take(100);
  memory.giveBack(small);
  expect(small.length).toBe(100);
  const [one, two] = [memory.take(100), memory.take(100)];
  expect(one.buffer === two.buffer && one.byteOffset === two.byteOffset).toBe(false);
});
