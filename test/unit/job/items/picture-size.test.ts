import sharp, { type Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';
import { pictureSize } from '../../../../src/job/items/picture-size.js';

const picture = (width = 40, height = 30) =>
  sharp({ create: { width, height, channels: 3, background: { r: 200, g: 40, b: 90 } } });

function bmp(width: number, height: number): Buffer {
  const bytes = Buffer.alloc(54);
  bytes.write('BM');
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  return bytes;
}

const KINDS: [string, () => Promise<Buffer>][] = [
  ['JPEG', () => picture().jpeg().toBuffer()],
  ['progressive JPEG', () => picture().jpeg({ progressive: true }).toBuffer()],
  ['PNG', () => picture().png().toBuffer()],
  ['WebP', () => picture().webp().toBuffer()],
  ['lossless WebP', () => picture().webp({ lossless: true }).toBuffer()],
  ['WebP with a header', () => picture().withMetadata().webp().toBuffer()],
  ['GIF', () => picture().gif().toBuffer()],
  ['TIFF', () => picture().tiff().toBuffer()],
  ['AVIF', () => picture().avif().toBuffer()],
  ['BMP', () => Promise.resolve(bmp(40, 30))],
  ['BMP from the top', () => Promise.resolve(bmp(40, -30))],
];

describe('the size of a picture', () => {
  test.each(KINDS)('is read from a %s', async (_, make) => {
    expect(pictureSize(await make())).toEqual({ width: 40, height: 30 });
  });

  test.each(KINDS)('of a %s that was cut off anywhere is right, or asks for more', async (_, make) => {
    const bytes = await make();
    for (let length = 64; length < bytes.length; length += 7) {
      const size = pictureSize(bytes.subarray(0, length));
      expect(size === 'more' || (size?.width === 40 && size.height === 30), `${length} bytes`).toBe(true);
    }
  });

  test.each([
    ['JPEG', (oriented: Sharp) => oriented.jpeg()],
    ['PNG', (oriented: Sharp) => oriented.png()],
    ['WebP', (oriented: Sharp) => oriented.webp()],
    ['TIFF', (oriented: Sharp) => oriented.tiff()],
  ])('is that of the upright picture where a %s lies on its side', async (_, encode) => {
    const bytes = await encode(picture().withMetadata({ orientation: 6 })).toBuffer();
    const { width, height } = (await sharp(bytes).rotate().toBuffer({ resolveWithObject: true })).info;
    expect(pictureSize(bytes)).toEqual({ width, height });
    expect(width).toBe(30);
  });

  test('of what is no picture is not known', () => {
    expect(pictureSize(Buffer.from('no picture'))).toBeUndefined();
    expect(pictureSize(Buffer.alloc(0))).toBeUndefined();
    expect(pictureSize(bmp(0, 30))).toBeUndefined();
    expect(pictureSize(Buffer.from([0xff, 0xd8, 0xff, 0xd9, 0, 0]))).toBeUndefined();
  });

  test('of a file that leads back to itself is not looked for without an end', () => {
    const webp = Buffer.from('RIFF\u0010\0\0\0WEBPVP8X\n\0\0\0\u0008\0\0\0', 'latin1');
    expect(pictureSize(Buffer.concat([webp, Buffer.alloc(100)]))).toBe('more');
    const avif = Buffer.from('\0\0\0\u0014ftypavif\0\0\0\0avif\0\0\0\0meta', 'latin1');
    expect(pictureSize(Buffer.concat([avif, Buffer.alloc(100)]))).toBe('more');
  });
});
