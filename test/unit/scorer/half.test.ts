import { describe, expect, it } from 'vitest';
import { fromHalves, toHalf } from '../../../src/scorer/tensors/tensor.js';

describe('float16', () => {
  it.each([
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65_504, 0x7bff],
    [65_520, 0x7c00],
    [-1e9, 0xfc00],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -26, 0x0000],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2047.9999, 0x6800],
    [Infinity, 0x7c00],
  ])('%d is %i', (value, bits) => {
    expect(toHalf(value)).toBe(bits);
  });

  it('survives the way there and back, all of it', () => {
    const bits = Uint16Array.from({ length: 65_536 }, (_, index) => index);
    for (const [half, value] of fromHalves(bits).entries())
      if (Number.isNaN(value)) expect(toHalf(value) & 0x7c00).toBe(0x7c00);
      else if (toHalf(value) !== half) expect.fail(`${half} became ${toHalf(value)}`);
  });
});
