import { deflateSync, inflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { messageOf } from '../../../src/job/failure.js';
import type { Codec } from '../../../src/scorer/pictures/codec.js';
import { loadCodec } from '../../../src/scorer/pictures/load-codec.js';
import { paint, psnr } from '../../support/scorer/pictures.js';

const [WIDTH, HEIGHT] = [200, 152];
const picture = grainy();
const source = (): Sharp => sharp(picture, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });

/** A picture with as much grain as a photo, so that its scans have something to damage. */
function grainy(): Uint8Array {
  let state = 1;
  const grain = () => ((state = (state * 48_271) % 2_147_483_647) & 31) - 16;
  return paint(WIDTH, HEIGHT).data.map((value) => Math.min(255, Math.max(0, value + grain())));
}

/** What work takes of the processor, in microseconds, however busy the machine is. */
async function processorTime(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

let codec: Codec;
beforeAll(async () => {
  codec = await loadCodec('sharp', vi.fn());
});

const fails = (file: Buffer, says: RegExp) =>
  expect(codec.decode(file)).rejects.toMatchObject({ blame: 'item', message: expect.stringMatching(says) });
const mirrors = (file: Buffer) =>
  expect(codec.decode(file).then(({ data }) => psnr(data, picture))).resolves.toBeGreaterThan(20);

/** The same file with bytes of its scans overwritten, `share` of the way into them. */
function damaged(file: Buffer, share: number, bytes: number[]): Buffer {
  const copy = Buffer.from(file);
  const scan = file.indexOf('ffda', 0, 'hex') + 16;
  copy.set(bytes, scan + Math.floor((file.length - scan) * share));
  return copy;
}

/** Where the scans of a JPEG begin. */
function scansOf(file: Buffer): number[] {
  const found: number[] = [];
  for (let at = file.indexOf('ffda', 0, 'hex'); at !== -1; at = file.indexOf('ffda', at + 2, 'hex')) found.push(at);
  return found;
}

const END = Buffer.from([0xff, 0xd9]);
const ZEROS = Array<number>(60).fill(0);
const NOISE = Array.from({ length: 60 }, (_, index) => (index * 37 + 11) & 127);

const jpegs: [string, () => Promise<Buffer>][] = [
  ['baseline', () => source().jpeg().toBuffer()],
  ['4:4:4', () => source().jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer()],
  ['best quality', () => source().jpeg({ quality: 100 }).toBuffer()],
  ['low quality', () => source().jpeg({ quality: 10 }).toBuffer()],
  ['optimized', () => source().jpeg({ optimizeCoding: true }).toBuffer()],
  ['progressive', () => source().jpeg({ progressive: true }).toBuffer()],
  ['progressive by mozjpeg', () => source().jpeg({ mozjpeg: true }).toBuffer()],
  ['grey', () => source().toColourspace('b-w').jpeg().toBuffer()],
  ['grey and progressive', () => source().toColourspace('b-w').jpeg({ progressive: true }).toBuffer()],
  ['CMYK', () => source().toColourspace('cmyk').jpeg().toBuffer()],
];

describe.each(jpegs)('a JPEG, %s,', (_, make) => {
  it('is read', async () => {
    const { width, height } = await codec.decode(await make());
    expect([width, height]).toEqual([WIDTH, HEIGHT]);
  });

  // Later scans of a progressive picture hold little: what is wrong there may pass when it hardly shows.
  it.each([
    ['zeros', ZEROS],
    ['noise', NOISE],
  ])('with %s in its scans fails by name', async (_kind, bytes) => {
    const file = await make();
    const { data } = await codec.decode(file);
    for (const share of [0.1, 0.4, 0.7]) {
      const similarity = await codec.decode(damaged(file, share, bytes)).then(
        (other) => psnr(other.data, data),
        (error: unknown) => messageOf(error),
      );
      if (typeof similarity === 'string')
        expect(similarity).toMatch(/cannot be read: it(s pixels)? (are|is) (damaged|cut off)|end too early/);
      else expect(similarity).toBeGreaterThan(30);
    }
  });

  it('that is cut off fails by name', async () => {
    const file = await make();
    await fails(file.subarray(0, file.length * 0.7), /cut off|end too early/);
    await fails(Buffer.concat([file.subarray(0, file.length * 0.7), END]), /end too early|scans are missing/);
  });
});

describe('a JPEG', () => {
  it('without its last scans fails by name', async () => {
    const file = await source().jpeg({ progressive: true }).toBuffer();
    const scans = scansOf(file);
    expect(scans.length).toBeGreaterThan(5);
    for (const at of scans.slice(1)) await fails(Buffer.concat([file.subarray(0, at), END]), /scans are missing/);
  });

  it('with bytes that mean nothing before its end is read', async () => {
    const file = await source().jpeg({ quality: 95 }).toBuffer();
    await mirrors(Buffer.concat([file.subarray(0, -2), Buffer.alloc(61), END]));
  });

  it('with other data between its segments or behind its end is read', async () => {
    const file = await source().jpeg({ quality: 95 }).toBuffer();
    await mirrors(Buffer.concat([file.subarray(0, 71), Buffer.from('stray'), file.subarray(71)]));
    await mirrors(Buffer.concat([file, Buffer.from('motion photo'), file]));
  });

  it('of more scans than any picture has fails by name', async () => {
    const file = await source().jpeg({ progressive: true }).toBuffer();
    const [, second = 0, third = 0] = scansOf(file);
    const scan = file.subarray(second, third);
    const bomb = [file.subarray(0, third), ...Array<Buffer>(200).fill(scan), file.subarray(third)];
    await fails(Buffer.concat(bomb), /more than 100 scans/);
  });
});

describe('metadata', () => {
  /** EXIF with an orientation, whose other directories are itself again, 500 times each. */
  const loopingExif = (orientation: number) => {
    const count = 500;
    const exif = Buffer.alloc(8 + 2 + count * 12 + 4);
    exif.write('II*\0\b\0\0\0', 0, 'latin1');
    exif.writeUInt16LE(count, 8);
    for (let entry = 0; entry < count; entry += 1) {
      const at = 10 + entry * 12;
      exif.writeUInt16LE(entry === 0 ? 0x0112 : entry % 2 === 0 ? 0x8769 : 0x8825, at);
      exif.writeUInt16LE(entry === 0 ? 3 : 4, at + 2);
      exif.writeUInt32LE(1, at + 4);
      exif.writeUInt32LE(entry === 0 ? orientation : 8, at + 8);
    }
    exif.writeUInt32LE(8, exif.length - 4);
    return exif;
  };
  const segment = (marker: number, data: Buffer) => {
    const header = Buffer.from([0xff, marker, 0, 0]);
    header.writeUInt16BE(data.length + 2, 2);
    return Buffer.concat([header, data]);
  };

  it('that leads back to itself costs no time, and the orientation in it counts', async () => {
    const file = await source().jpeg().toBuffer();
    const exif = segment(0xe1, Buffer.concat([Buffer.from('Exif\0\0'), loopingExif(6)]));
    const bomb = Buffer.concat([file.subarray(0, 2), ...Array<Buffer>(8).fill(exif), file.subarray(2)]);
    expect(await codec.decode(bomb)).toMatchObject({ width: HEIGHT, height: WIDTH });
  });

  it.each([
    ['PNG', () => source().withMetadata({ orientation: 8 }).png().toBuffer()],
    ['WebP', () => source().withMetadata({ orientation: 8 }).webp().toBuffer()],
    ['JPEG', () => source().withMetadata({ orientation: 8 }).jpeg().toBuffer()],
    ['TIFF', () => source().withMetadata({ orientation: 8 }).tiff().toBuffer()],
    ['AVIF', () => source().withMetadata({ orientation: 8 }).avif().toBuffer()],
  ])('turns a %s', async (_, make) => {
    expect(await codec.decode(await make())).toMatchObject({ width: HEIGHT, height: WIDTH });
  });

  it('that unpacks to more than memory holds is not unpacked', async () => {
    const file = await source().png().toBuffer();
    const deflated = deflateSync(Buffer.alloc(50_000_000));
    const text = Buffer.concat([Buffer.from('Comment\0\0'), deflated]);
    const bomb = Buffer.concat([
      file.subarray(0, 33),
      ...Array<Buffer>(40).fill(chunk('zTXt', text)),
      file.subarray(33),
    ]);
    const decoding = await processorTime(async () => expect((await codec.decode(bomb)).width).toBe(WIDTH));
    const unpacking = await processorTime(() => inflateSync(deflated));
    expect(decoding).toBeLessThan(20 * unpacking);
  });
});

/** A PNG chunk with a checksum of zeros, which nobody looks at in chunks that are left out. */
function chunk(type: string, data: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(data.length, 0);
  header.write(type, 4, 'latin1');
  return Buffer.concat([header, data, Buffer.alloc(4)]);
}

describe.each<[string, () => Promise<Buffer>]>([
  ['PNG', () => source().png().toBuffer()],
  ['PNG with a palette', () => source().png({ palette: true }).toBuffer()],
  ['interlaced PNG', () => source().png({ progressive: true }).toBuffer()],
  ['WebP', () => source().webp().toBuffer()],
  ['lossless WebP', () => source().webp({ lossless: true }).toBuffer()],
  ['AVIF', () => source().avif().toBuffer()],
  ['GIF', () => source().gif().toBuffer()],
  ['TIFF', () => source().tiff({ compression: 'none' }).toBuffer()],
  ['TIFF by LZW', () => source().tiff({ compression: 'lzw' }).toBuffer()],
  ['TIFF by deflate', () => source().tiff({ compression: 'deflate' }).toBuffer()],
  ['TIFF by JPEG', () => source().tiff({ compression: 'jpeg' }).toBuffer()],
])('a %s', (_, make) => {
  it('that is cut off fails by name', async () => {
    const file = await make();
    for (const share of [0.3, 0.6, 0.9])
      await fails(file.subarray(0, file.length * share), /cannot be read: it is|cannot be read: its pixels/);
  });
});

describe.each<[string, () => Promise<Buffer>]>([
  ['PNG', () => source().png().toBuffer()],
  ['TIFF by LZW', () => source().tiff({ compression: 'lzw' }).toBuffer()],
  ['TIFF by deflate', () => source().tiff({ compression: 'deflate' }).toBuffer()],
  ['TIFF by JPEG', () => source().tiff({ compression: 'jpeg' }).toBuffer()],
  ['GIF', () => source().gif().toBuffer()],
])('a %s', (_, make) => {
  it.each([
    ['zeros', ZEROS],
    ['noise', NOISE],
  ])('with %s in the middle fails by name', async (_kind, bytes) => {
    const file = Buffer.from(await make());
    file.set(bytes, file.length / 2);
    await fails(file, /cannot be read: it is|cannot be read: its pixels/);
  });
});

describe('a GIF', () => {
  it.each([
    [1, 1, 2],
    [4, 4, 2],
    [64, 48, 2],
    [64, 64, 4],
    [300, 200, 16],
    [300, 200, 256],
    [1000, 700, 256],
  ])('of %d by %d pixels and %d colours is read', async (width, height, colours) => {
    const data = Uint8Array.from({ length: width * height * 3 }, (_, index) => {
      const pixel = Math.floor(index / 3);
      return ((((pixel * 2_654_435_761) >>> 13) % colours) * 255) / (colours - 1);
    });
    const image = sharp(data, { raw: { width, height, channels: 3 } });
    expect(await codec.decode(await image.gif({ colours }).toBuffer())).toMatchObject({ width, height });
    expect(await codec.decode(await image.ensureAlpha(0).gif().toBuffer())).toMatchObject({ width, height });
  });
});
