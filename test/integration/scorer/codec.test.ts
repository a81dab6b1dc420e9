import { Jimp } from 'jimp';
import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { FRAME_FORMATS } from '../../../src/job/items/formats.js';
import { type Codec, formatOf, type Picture, PIXEL_LIMIT } from '../../../src/scorer/pictures/codec.js';
import { loadCodec } from '../../../src/scorer/pictures/load-codec.js';
import { isPlainPng, pngSize } from '../../../src/scorer/pictures/picture-file.js';
import { paint, psnr } from '../../support/scorer/pictures.js';

const picture = paint(45, 32);
/** A PPM with another size in its header. */
const changed = (file: Buffer, size: string) => Buffer.from(file.toString('latin1').replace('45 32', size), 'latin1');
const source = (): Sharp => sharp(picture.data, { raw: { width: 45, height: 32, channels: 3 } });

/** Where each pixel of the upright picture stands in the file, as EXIF 2.3 defines the orientations. */
const TURNS: [orientation: number, width: number, height: number, from: (x: number, y: number) => [number, number]][] =
  [
    [1, 45, 32, (x, y) => [x, y]],
    [2, 45, 32, (x, y) => [44 - x, y]],
    [3, 45, 32, (x, y) => [44 - x, 31 - y]],
    [4, 45, 32, (x, y) => [x, 31 - y]],
    [5, 32, 45, (x, y) => [y, x]],
    [6, 32, 45, (x, y) => [y, 31 - x]],
    [7, 32, 45, (x, y) => [44 - y, 31 - x]],
    [8, 32, 45, (x, y) => [44 - y, x]],
  ];

describe.each(['sharp', 'jimp'] as const)('%s', (name) => {
  let codec: Codec;
  beforeAll(async () => {
    codec = await loadCodec(name, vi.fn());
  });

  it('brings PNG back bit by bit', async () => {
    const bytes = await codec.encode(picture, 'png');
    expect(await codec.decode(bytes)).toEqual(picture);
    expect(
      await source()
        .png()
        .toBuffer()
        .then((other) => codec.decode(other)),
    ).toEqual(picture);
    expect((await sharp(bytes).metadata()).channels).toBe(3);
  });

  it('brings PPM back bit by bit, if the name says that it is one', async () => {
    const bytes = await codec.encode(picture, 'ppm');
    expect(bytes.toString('latin1', 0, 13)).toBe('P6\n45 32\n255\n');
    expect(await codec.decode(bytes, 'ppm')).toEqual(picture);
    await expect(codec.decode(bytes, 'png')).rejects.toThrow('but a PNM file; convert it to JPEG or PNG');
    const png = await codec.encode(picture, 'png');
    await expect(codec.decode(png, 'ppm')).rejects.toThrow('the picture cannot be read: its header is damaged');
  });

  it.each<[what: string, says: string, spoil: (file: Buffer) => Buffer]>([
    ['an empty one', 'the picture file is empty', () => Buffer.alloc(0)],
    ['one that is cut in its header', 'its header is damaged', (file) => file.subarray(0, 9)],
    ['one that has lost a byte', 'it is cut off', (file) => file.subarray(0, -1)],
    ['one with a byte too many', 'longer than its header says', (file) => Buffer.concat([file, Buffer.alloc(1)])],
    ['one that says a larger size', 'it is cut off', (file) => changed(file, '46 32')],
    ['one that says a smaller size', 'longer than its header says', (file) => changed(file, '45 31')],
    ['one that says no size', 'its header is damaged', (file) => changed(file, '00 00')],
    ['one with a comment', 'its header is damaged', (file) => changed(file, '#size\n45 32')],
    ['one that claims billions of pixels', 'million pixels', (file) => changed(file, '999999 999999')],
    ['one of nothing but zeros', 'its header is damaged', (file) => Buffer.alloc(file.length)],
  ])('refuses PPM that is damaged: %s', async (_, says, spoil) => {
    const file = spoil(await codec.encode(picture, 'ppm'));
    await expect(codec.decode(file, 'ppm')).rejects.toMatchObject({
      blame: 'item',
      message: expect.stringContaining(says) as string,
    });
  });

  it('writes a mask as a grey PNG, bit by bit', async () => {
    const mask = { width: 3, height: 2, data: Uint8Array.of(0, 1, 2, 127, 254, 255) };
    const png = sharp(await codec.encodeMask(mask));
    expect(await png.metadata()).toMatchObject({ format: 'png', channels: 1, width: 3, height: 2 });
    expect([...(await png.toColourspace('b-w').raw().toBuffer())]).toEqual([...mask.data]);
  });

  it.each(FRAME_FORMATS)('gives pixels of %s whose memory can move to another thread', async (format) => {
    const { data } = await codec.decode(await codec.encode(picture, format), format);
    structuredClone(data, { transfer: [data.buffer] });
    expect(data.byteLength).toBe(0);
  });

  it('writes JPEG of high quality', async () => {
    const bytes = await codec.encode(picture, 'jpg');
    expect((await sharp(bytes).metadata()).format).toBe('jpeg');
    expect(psnr((await codec.decode(bytes)).data, picture.data)).toBeGreaterThan(32);
  });

  it('resizes to any proportions', async () => {
    const small = await codec.resize(picture, { width: 90, height: 16 });
    expect([small.width, small.height, small.data.length]).toEqual([90, 16, 90 * 16 * 3]);
    const back = await codec.resize(small, { width: 45, height: 32 });
    expect(psnr(back.data, picture.data)).toBeGreaterThan(24);
  });

  it.each(TURNS)('turns a picture as its EXIF orientation %d says', async (orientation, width, height, from) => {
    const bytes = await source()
      .withMetadata({ orientation })
      .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
      .toBuffer();
    const decoded = await codec.decode(bytes);
    expect([decoded.width, decoded.height]).toEqual([width, height]);
    const upright = Uint8Array.from(decoded.data, (_, index) => {
      const pixel = Math.floor(index / 3);
      const [x, y] = from(pixel % width, Math.floor(pixel / width));
      return picture.data[(y * 45 + x) * 3 + (index % 3)] ?? 0;
    });
    expect(psnr(decoded.data, upright)).toBeGreaterThan(35);
  });

  it('spreads grey over three channels', async () => {
    const grey = await codec.decode(await source().greyscale().toColourspace('b-w').png().toBuffer());
    expect(grey.data).toHaveLength(45 * 32 * 3);
    expect(grey.data.every((value, index) => value === grey.data[index - (index % 3)])).toBe(true);
  });

  it('reads palettes', async () => {
    const bytes = await sharp({ create: { width: 4, height: 4, channels: 3, background: '#123456' } })
      .png({ palette: true })
      .toBuffer();
    expect([...(await codec.decode(bytes)).data.subarray(0, 3)]).toEqual([0x12, 0x34, 0x56]);
  });

  it('cuts 16 bits to 8', async () => {
    const bytes = await source().toColourspace('rgb16').png().toBuffer();
    expect((await sharp(bytes).metadata()).depth).toBe('ushort');
    expect(psnr((await codec.decode(bytes)).data, picture.data)).toBeGreaterThan(45);
  });

  it('puts transparent pixels over black', async () => {
    const half = { r: 200, g: 100, b: 50, alpha: 0.5 };
    const bytes = await sharp({ create: { width: 4, height: 4, channels: 4, background: half } })
      .png()
      .toBuffer();
    const [red = 0, green = 0, blue = 0] = (await codec.decode(bytes)).data;
    expect(Math.abs(red - 100) + Math.abs(green - 50) + Math.abs(blue - 25)).toBeLessThanOrEqual(3);
  });

  it('turns CMYK into RGB', async () => {
    const bytes = await source().toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(bytes).metadata()).space).toBe('cmyk');
    expect(psnr((await codec.decode(bytes)).data, picture.data)).toBeGreaterThan(13);
  });

  it('reads a picture with a colour profile', async () => {
    const bytes = await source().withIccProfile('p3').png().toBuffer();
    expect((await sharp(bytes).metadata()).icc).toBeDefined();
    // sharp turns the colours into sRGB; jimp takes them as they are.
    expect(psnr((await codec.decode(bytes)).data, picture.data)).toBeGreaterThan(name === 'sharp' ? 45 : 20);
  });

  it('goes by what is in a file and not by its name', async () => {
    expect((await codec.decode(await source().jpeg().toBuffer())).width).toBe(45);
    expect((await codec.decode(await source().png().toBuffer())).width).toBe(45);
  });

  it('reads a picture of one pixel', async () => {
    const dot = { width: 1, height: 1, data: Uint8Array.of(9, 8, 7) };
    expect(await codec.decode(await codec.encode(dot, 'png'))).toEqual(dot);
  });

  it.each([
    ['an empty file', () => Promise.resolve(Buffer.alloc(0)), 'is empty'],
    ['text', () => Promise.resolve(Buffer.from('no picture')), 'cannot be read'],
    [
      'a PNG that is cut off',
      () =>
        source()
          .png()
          .toBuffer()
          .then((bytes) => bytes.subarray(0, bytes.length / 2)),
      'cannot be read',
    ],
    [
      'a JPEG that is cut off',
      () =>
        source()
          .jpeg()
          .toBuffer()
          .then((bytes) => bytes.subarray(0, bytes.length / 2)),
      'cannot be read',
    ],
    ['a JPEG with a lying header', () => source().jpeg().toBuffer().then(hugeJpeg), 'cannot be read'],
    ['a PNG with a lying header', () => source().png().toBuffer().then(huge), 'million pixels'],
  ])('refuses %s', async (_what, bytes, says) => {
    await expect(codec.decode(await bytes())).rejects.toMatchObject({
      blame: 'item',
      message: expect.stringContaining(says),
    });
  });
});

/** The same file, claiming a row more than is allowed. */
function huge(png: Buffer): Buffer {
  const copy = Buffer.from(png);
  copy.writeUInt32BE(10_000, 16);
  copy.writeUInt32BE(PIXEL_LIMIT / 10_000 + 1, 20);
  // The checksum of the header chunk, which some readers check first.
  copy.writeUInt32BE(crc32(copy.subarray(12, 29)), 29);
  return copy;
}

/** The same file, claiming to be 20000x20000 in its frame header. */
function hugeJpeg(jpeg: Buffer): Buffer {
  const copy = Buffer.from(jpeg);
  const frame = copy.indexOf(Buffer.from([0xff, 0xc0]));
  expect(frame).toBeGreaterThan(0);
  copy.writeUInt16BE(20_000, frame + 5);
  copy.writeUInt16BE(20_000, frame + 7);
  return copy;
}

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

describe('loadCodec', () => {
  const broken = () => Promise.reject(new Error('Could not load the "sharp" module\nusing the linux-x64 runtime'));

  it('takes jimp where sharp does not load, and says so', async () => {
    const warn = vi.fn();
    expect((await loadCodec('auto', warn, broken)).name).toBe('jimp');
    expect(warn).toHaveBeenCalledWith(
      expect.stringContaining('Could not load the "sharp" module using the linux-x64 runtime'),
    );
  });

  it('fails when sharp was asked for', async () => {
    await expect(loadCodec('sharp', vi.fn(), broken)).rejects.toMatchObject({ blame: 'user' });
  });
});

it('names formats by extension', () => {
  expect(['png', 'jpg', 'ppm', 'json'].map(formatOf)).toEqual(['png', 'jpg', 'ppm', 'png']);
});

it('reads the size in a PNG header', async () => {
  expect(pngSize(await new Jimp({ width: 3, height: 7 }).getBuffer('image/png'))).toEqual({ width: 3, height: 7 });
  expect(pngSize(Buffer.from('GIF89a'))).toBeUndefined();
});

describe('PNG by sharp', () => {
  const noise = (): Picture => {
    let state = 1;
    const data = Uint8Array.from({ length: 45 * 32 * 3 }, () => (state = (state * 48_271) % 2_147_483_647) & 255);
    return { width: 45, height: 32, data };
  };

  it('packs flat pictures, stores noisy ones, and always gives the same bytes', async () => {
    const codec = await loadCodec('sharp', vi.fn());
    const flat: Picture = { width: 45, height: 32, data: new Uint8Array(45 * 32 * 3).fill(9) };
    expect((await codec.encode(flat, 'png')).length).toBeLessThan(400);
    const noisy = noise();
    const bytes = await codec.encode(noisy, 'png');
    expect(bytes.length).toBeLessThan(noisy.data.length + 400);
    expect(await codec.decode(bytes)).toEqual(noisy);
    expect((await codec.encode(noisy, 'png')).equals(bytes)).toBe(true);
  });

  it('takes the short way for plain RGB only', async () => {
    expect(isPlainPng(await source().png().toBuffer())).toBe(true);
    expect(isPlainPng(await source().png({ palette: true }).toBuffer())).toBe(false);
    expect(isPlainPng(await source().ensureAlpha(0.5).png().toBuffer())).toBe(false);
    expect(isPlainPng(await source().toColourspace('b-w').png().toBuffer())).toBe(false);
    expect(isPlainPng(await source().withMetadata({ orientation: 6 }).png().toBuffer())).toBe(false);
    expect(isPlainPng(await source().jpeg().toBuffer())).toBe(false);
  });
});
