import sharp from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Codec } from '../../../src/scorer/pictures/codec.js';
import { loadCodec } from '../../../src/scorer/pictures/load-codec.js';
import { hasSharedData, sharedData } from '../../support/shared-data.js';
import { tiff } from '../../support/scorer/tiff.js';
import { readFile } from 'node:fs/promises';

const SIZE = { width: 4, height: 2 };
/** Eight pixels with the same samples. */
const all = (...pixel: number[]) => Array.from({ length: 8 }, () => pixel).flat();
const wide = (...pixel: number[]) => all(...pixel.map((sample) => sample * 257));

let codec: Codec;
beforeAll(async () => {
  codec = await loadCodec('sharp', vi.fn());
});
const firstPixel = async (file: Buffer) => [...(await codec.decode(file)).data.subarray(0, 3)];

const RGB = [200, 100, 50];
const DARK = [100, 50, 25];
const NAVY = [46, 57, 143];

describe('a TIFF is read as its tags say', () => {
  it.each<[string, Buffer, number[]]>([
    ['RGB', tiff({ ...SIZE, samples: all(...RGB) }), RGB],
    ['RGB and a channel of another kind', tiff({ ...SIZE, samples: all(...RGB, 9), extra: [0] }), RGB],
    ['RGB and two of them', tiff({ ...SIZE, samples: all(...RGB, 9, 8), extra: [0, 0] }), RGB],
    [
      'RGB and ten of them',
      tiff({ ...SIZE, samples: all(...RGB, ...Array<number>(10).fill(7)), extra: Array<number>(10).fill(0) }),
      RGB,
    ],
    ['RGB and one of them, 16 bits', tiff({ ...SIZE, bits: 16, samples: wide(...RGB, 9), extra: [0] }), RGB],
    ['RGB and one that no tag explains', tiff({ ...SIZE, samples: all(...RGB, 9) }), RGB],
    ['RGB and alpha', tiff({ ...SIZE, samples: all(...RGB, 128), extra: [2] }), DARK],
    ['RGB, alpha and another channel', tiff({ ...SIZE, samples: all(...RGB, 128, 9), extra: [2, 0] }), DARK],
    ['RGB, another channel and alpha', tiff({ ...SIZE, samples: all(...RGB, 9, 128), extra: [0, 2] }), DARK],
    ['RGB that is multiplied by its alpha', tiff({ ...SIZE, samples: all(...DARK, 128), extra: [1] }), DARK],
    ['grey', tiff({ ...SIZE, photometric: 1, samples: all(200) }), [200, 200, 200]],
    ['grey where 0 is white', tiff({ ...SIZE, photometric: 0, samples: all(200) }), [55, 55, 55]],
    ['grey of 16 bits where 0 is white', tiff({ ...SIZE, photometric: 0, bits: 16, samples: wide(200) }), [55, 55, 55]],
    ['grey and another channel', tiff({ ...SIZE, photometric: 1, samples: all(200, 9), extra: [0] }), [200, 200, 200]],
    ['grey and alpha', tiff({ ...SIZE, photometric: 1, samples: all(200, 128), extra: [2] }), [100, 100, 100]],
    ['one bit', tiff({ ...SIZE, photometric: 1, bits: 1, samples: all(1) }), [255, 255, 255]],
    ['one bit where 0 is white', tiff({ ...SIZE, photometric: 0, bits: 1, samples: all(1) }), [0, 0, 0]],
    [
      'CMYK and another channel',
      tiff({ ...SIZE, photometric: 5, samples: all(0, 0, 0, 0, 99), extra: [0] }),
      [255, 255, 255],
    ],
    ['Lab of 8 bits', tiff({ ...SIZE, photometric: 8, samples: all(72, 25, 256 - 49) }), NAVY],
    [
      'Lab of 16 bits',
      tiff({ ...SIZE, photometric: 8, bits: 16, samples: all(72 * 257, 25 * 256, (256 - 49) * 256) }),
      NAVY,
    ],
    ['Lab as ICC writes it', tiff({ ...SIZE, photometric: 9, samples: all(72, 153, 79) }), NAVY],
    [
      'Lab as ICC writes it, 16 bits',
      tiff({ ...SIZE, photometric: 9, bits: 16, samples: all(72 * 256, 153 * 256, 79 * 256) }),
      NAVY,
    ],
    [
      'Lab with alpha',
      tiff({ ...SIZE, photometric: 8, samples: all(72, 25, 256 - 49, 128), extra: [2] }),
      NAVY.map((value) => value / 2),
    ],
    [
      'a picture behind its preview',
      tiff({ width: 1, height: 1, samples: [1, 2, 3], fields: { 254: [1] } }, { ...SIZE, samples: all(...RGB) }),
      RGB,
    ],
    ['the first of several pages', tiff({ ...SIZE, samples: all(...RGB) }, { ...SIZE, samples: all(1, 2, 3) }), RGB],
  ])('%s', async (_, file, expected) => {
    const { width, height } = await codec.decode(file);
    expect({ width, height }).toEqual(SIZE);
    for (const [channel, value] of (await firstPixel(file)).entries())
      expect(Math.abs(value - (expected[channel] ?? 0)), `channel ${channel}`).toBeLessThanOrEqual(2);
  });

  it('Lab colours are those that the picture library makes of Lab', async () => {
    const source = sharp({ create: { ...SIZE, channels: 3, background: '#2e398f' } });
    const lab = await source.toColourspace('lab').tiff().toBuffer();
    for (const [channel, value] of (await firstPixel(lab)).entries())
      expect(Math.abs(value - (NAVY[channel] ?? 0)), `channel ${channel}`).toBeLessThanOrEqual(2);
  });
});

const page = { ...SIZE, samples: all(...RGB) };
const raw = /raw file of a camera.*develop/;

describe('a TIFF fails by name', () => {
  it.each<[string, Buffer, RegExp]>([
    [
      'floating point, grey',
      tiff({ ...SIZE, photometric: 1, bits: 32, format: 3, samples: all(0.5) }),
      /floating-point.*32 bits/,
    ],
    [
      'floating point, RGB',
      tiff({ ...SIZE, bits: 32, format: 3, samples: all(0.5, 0.2, 0.1) }),
      /floating-point.*32 bits/,
    ],
    [
      'floating point of 64 bits',
      tiff({ ...SIZE, bits: 64, format: 3, samples: all(0.5, 0.2, 0.1) }),
      /floating-point.*64 bits/,
    ],
    [
      'signed numbers',
      tiff({ ...SIZE, photometric: 1, bits: 16, format: 2, samples: all(-5) }),
      /signed numbers of 16 bits/,
    ],
    ['32 bits', tiff({ ...SIZE, bits: 32, samples: all(1, 2, 3) }), /whole numbers of 32 bits/],
    [
      'YCbCr that is not JPEG',
      tiff({ ...SIZE, photometric: 6, samples: all(100, 128, 128), fields: { 530: [1, 1] } }),
      /YCbCr/,
    ],
    [
      'inks that are not CMYK',
      tiff({ ...SIZE, photometric: 5, samples: all(1, 2, 3, 4), fields: { 332: [2] } }),
      /inks/,
    ],
    ['the samples of a sensor', tiff({ ...SIZE, photometric: 32803, samples: all(1) }), raw],
    ['a DNG', tiff({ ...page, fields: { 50706: [1, 4, 0, 0] } }), raw],
    ['a preview alone', tiff({ ...page, fields: { 254: [1] } }), raw],
    ['samples as Nikon packs them', tiff({ ...page, fields: { 259: [34713] } }), raw],
    ['a directory that leads nowhere', Buffer.from('II*\0\xff\xff\xff\x00', 'latin1'), /TIFF file without a picture/],
  ])('%s', async (_, file, says) => {
    await expect(codec.decode(file)).rejects.toMatchObject({ blame: 'item', message: expect.stringMatching(says) });
  });

  it('directories that lead in a circle end', async () => {
    const file = tiff({ ...page, fields: { 254: [1] } });
    const directory = file.readUInt32LE(4);
    file.writeUInt32LE(directory, directory + 2 + file.readUInt16LE(directory) * 12);
    await expect(codec.decode(file)).rejects.toThrow(raw);
  });

  it.skipIf(!hasSharedData)('a raw file of a camera', async () => {
    const file = await readFile(sharedData('field/11-raw-camera-files/IMG_0001.dng'));
    await expect(codec.decode(file)).rejects.toThrow(raw);
  });
});
