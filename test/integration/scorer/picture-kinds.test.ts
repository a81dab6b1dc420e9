import { execFileSync } from 'node:child_process';
import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { pictureKind } from '../../../src/job/items/formats.js';
import type { Codec } from '../../../src/scorer/pictures/codec.js';
import { loadCodec } from '../../../src/scorer/pictures/load-codec.js';
import { tools } from '../../support/clip.js';
import { paint, psnr } from '../../support/scorer/pictures.js';

const picture = paint(44, 32);
const source = (): Sharp => sharp(picture.data, { raw: { width: 44, height: 32, channels: 3 } });

/** A BMP as ffmpeg writes it. */
function bmp(pixelFormat: string): Buffer {
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', '44x32', '-i', 'pipe:0'];
  const output = ['-pix_fmt', pixelFormat, '-c:v', 'bmp', '-f', 'image2pipe', 'pipe:1'];
  return execFileSync(tools.ffmpeg, ['-loglevel', 'error', ...input, ...output], { input: picture.data });
}

/** The same picture with its rows from the top. */
function fromTheTop(file: Buffer): Buffer {
  const start = file.readUInt32LE(10);
  const rows = Array.from({ length: 32 }, (_, row) => file.subarray(start + row * 132, start + (row + 1) * 132));
  const turned = Buffer.concat([file.subarray(0, start), ...rows.toReversed()]);
  turned.writeInt32LE(-32, 22);
  return turned;
}

function claiming(file: Buffer, width: number, height: number): Buffer {
  const copy = Buffer.from(file);
  copy.writeInt32LE(width, 18);
  copy.writeInt32LE(height, 22);
  return copy;
}

const files: [string, string, () => Buffer | Promise<Buffer>, number][] = [
  ['JPEG', 'jpeg', () => source().jpeg({ quality: 95 }).toBuffer(), 32],
  ['PNG', 'png', () => source().png().toBuffer(), 99],
  ['GIF', 'gif', () => source().gif().toBuffer(), 22],
  ['animated GIF', 'gif', animatedGif, 22],
  ['TIFF', 'tiff', () => source().tiff({ compression: 'lzw' }).toBuffer(), 99],
  ['TIFF without compression', 'tiff', () => source().tiff({ compression: 'none' }).toBuffer(), 99],
  ['BMP of 24 bits', 'bmp', () => bmp('bgr24'), 99],
  ['BMP of 32 bits', 'bmp', () => bmp('bgra'), 99],
  ['BMP of 16 bits', 'bmp', () => bmp('rgb565le'), 30],
  ['BMP with a palette', 'bmp', () => bmp('pal8'), 15],
  ['BMP from the top', 'bmp', () => fromTheTop(bmp('bgr24')), 99],
];

async function animatedGif(): Promise<Buffer> {
  const first = await source().raw().toBuffer();
  const second = Buffer.alloc(first.length, 200);
  const pages = { raw: { width: 44, height: 64, channels: 3, pageHeight: 32 } } as const;
  return sharp(Buffer.concat([first, second]), pages)
    .gif()
    .toBuffer();
}

describe.each(['sharp', 'jimp'] as const)('%s', (name) => {
  let codec: Codec;
  beforeAll(async () => {
    codec = await loadCodec(name, vi.fn());
  });

  it.each(files)('reads %s', async (_, kind, make, decibels) => {
    const bytes = await make();
    expect(pictureKind(bytes)).toBe(kind);
    const { width, height, data } = await codec.decode(bytes);
    expect([width, height]).toEqual([44, 32]);
    expect(psnr(data, picture.data)).toBeGreaterThan(decibels);
  });

  it.each<[string, Buffer, string]>([
    ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>'), 'is no JPEG, PNG, WebP'],
    ['a web page', Buffer.from('<!doctype html><html></html>'), 'is no JPEG, PNG, WebP'],
    ['a BMP that claims 20,000 by 20,000 pixels', claiming(bmp('bgr24'), 20_000, -20_000), 'million pixels'],
    ['a BMP that is cut off', bmp('bgr24').subarray(0, 40), 'cannot be read'],
  ])('refuses %s', async (_, bytes, says) => {
    const message = expect.stringContaining(says) as string;
    await expect(codec.decode(bytes)).rejects.toMatchObject({ blame: 'item', message });
  });
});

const modern = [
  ['WebP', 'webp', () => source().webp({ lossless: true }).toBuffer(), 99],
  ['AVIF', 'avif', () => source().avif({ quality: 90, chromaSubsampling: '4:4:4' }).toBuffer(), 28],
] as const;

describe.each(modern)('%s', (_, kind, make, decibels) => {
  it('is read by sharp', async () => {
    const bytes = await make();
    expect(pictureKind(bytes)).toBe(kind);
    const { data } = await (await loadCodec('sharp', vi.fn())).decode(bytes);
    expect(psnr(data, picture.data)).toBeGreaterThan(decibels);
  });

  it('is refused by jimp with the reason', async () => {
    const codec = await loadCodec('jimp', vi.fn());
    await expect(codec.decode(await make())).rejects.toThrow(/WebP and AVIF need sharp/);
  });
});
