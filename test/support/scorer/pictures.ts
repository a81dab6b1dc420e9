import type { Picture } from '../../../src/scorer/pictures/codec.js';

/** A smooth coloured picture, different for each seed. */
export function paint(width: number, height: number, seed = 0): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = (y * width + x) * 3;
      data[at] = 128 + 100 * Math.sin(x / 9 + seed);
      data[at + 1] = 128 + 100 * Math.cos(y / 7 - seed);
      data[at + 2] = (255 * (x + y)) / (width + height);
    }
  }
  return { width, height, data };
}

/** Peak signal-to-noise ratio in dB of two pictures of one size; Infinity when they are equal. */
export function psnr(one: ArrayLike<number>, other: ArrayLike<number>): number {
  if (one.length !== other.length) throw new RangeError(`${one.length} against ${other.length} bytes`);
  let sum = 0;
  for (let index = 0; index < one.length; index += 1) sum += ((one[index] ?? 0) - (other[index] ?? 0)) ** 2;
  return 10 * Math.log10(255 ** 2 / (sum / one.length));
}
