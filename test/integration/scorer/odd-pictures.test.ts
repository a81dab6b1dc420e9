import { deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { AttemptResult } from '../../../src/container-contract/result.js';
import { cardOf, ScorerJob, STARRY_NIGHT } from '../../support/scorer/harness.js';
import { paint } from '../../support/scorer/pictures.js';

const picture = paint(45, 32);
const source = (): Sharp => sharp(picture.data, { raw: { width: 45, height: 32, channels: 3 } });

const twoPages = { width: 45, height: 64, channels: 3 } as const;
const twice = () => Buffer.concat([picture.data, picture.data]);

const fine: [name: string, file: () => Promise<Buffer>, width: number, height: number][] = [
  ['one-pixel.png', () => source().resize(1, 1).png().toBuffer(), 1, 1],
  ['sixteen-bits.png', () => source().toColourspace('rgb16').png().toBuffer(), 45, 32],
  ['palette.png', () => source().png({ palette: true }).toBuffer(), 45, 32],
  ['cmyk.jpg', () => source().toColourspace('cmyk').jpeg().toBuffer(), 45, 32],
  ['alpha.png', () => source().ensureAlpha(0.5).png().toBuffer(), 45, 32],
  ['turned.jpg', () => source().withMetadata({ orientation: 6 }).jpeg().toBuffer(), 32, 45],
  ['profile.png', () => source().withIccProfile('p3').png().toBuffer(), 45, 32],
  ['turned-avif.png', () => source().withMetadata({ orientation: 8 }).avif().toBuffer(), 32, 45],
  ['progressive.png', () => source().jpeg({ progressive: true }).toBuffer(), 45, 32],
  ['lab.png', () => source().toColourspace('lab').tiff().toBuffer(), 45, 32],
  [
    'moving.png',
    () =>
      sharp(twice(), { raw: { ...twoPages, pageHeight: 32 } })
        .webp()
        .toBuffer(),
    45,
    32,
  ],
  [
    'pages.png',
    () =>
      sharp(twice(), { raw: { ...twoPages, pageHeight: 32 } })
        .tiff()
        .toBuffer(),
    45,
    32,
  ],
  ['other-size.png', () => source().resize(61, 23, { fit: 'fill' }).png().toBuffer(), 61, 23],
];
const broken: [name: string, file: () => Promise<Buffer>, says: string][] = [
  ['cut-off.png', async () => (await source().png().toBuffer()).subarray(0, 900), 'cannot be read'],
  ['huge.png', () => Promise.resolve(blackSquare(20_000)), 'million pixels'],
  ['text.png', () => Promise.resolve(Buffer.from('no picture')), 'cannot be read'],
  ['page.png', () => Promise.resolve(Buffer.from('<!doctype html><html></html>')), 'it is no JPEG, PNG'],
  [
    'drawing.png',
    () => Promise.resolve(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')),
    'it is no JPEG, PNG',
  ],
  ['phone.png', () => Promise.resolve(Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic')), 'it is no JPEG, PNG'],
  ['empty.png', () => Promise.resolve(Buffer.alloc(0)), 'the picture file is empty'],
  ['cut-photo.png', async () => (await source().jpeg().toBuffer()).subarray(0, -300), 'it is cut off'],
  ['damaged.png', async () => flipped(await source().png().toBuffer(), 200), 'cannot be read'],
];

/** The same file with one byte changed. */
function flipped(file: Buffer, at: number): Buffer {
  return Buffer.concat([file.subarray(0, at), Buffer.from([(file[at] ?? 0) ^ 255]), file.subarray(at + 1)]);
}

/** A real PNG of so many pixels each way, one bit each: small as a file, large as pixels. */
function blackSquare(side: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.writeUInt8(1, 8);
  const rows = deflateSync(Buffer.alloc((1 + Math.ceil(side / 8)) * side), { level: 1 });
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', rows), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const bytes = Buffer.alloc(body.length + 8);
  bytes.writeUInt32BE(data.length, 0);
  body.copy(bytes, 4);
  bytes.writeUInt32BE(checksum(body), body.length + 4);
  return bytes;
}

/** CRC-32. */
function checksum(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

describe('a batch of odd pictures', () => {
  let job: ScorerJob;
  let result: AttemptResult;
  beforeAll(async () => {
    const card = await cardOf(STARRY_NIGHT, STARRY_NIGHT.replace('.onnx', '.json'));
    job = await ScorerJob.create(inject('storage'), { model: STARRY_NIGHT, card });
    for (const [name, file] of [...fine, ...broken]) await job.addInputs({ [name]: await file() });
    ({ result } = await job.score([...fine, ...broken].map(([name]) => name)));
  });

  it.each(fine)('%s is scored at its own size', async (name, _, width, height) => {
    expect(await sharp(await job.output(name)).metadata()).toMatchObject({ width, height, channels: 3 });
  });

  it.each(broken)('%s fails by name and costs nobody else', (name, _, says) => {
    expect(result.outcome).toBe('completed');
    expect(result.done).toHaveLength(fine.length);
    const failure = result.failed.find((failed) => `${failed.name}.png` === name);
    expect(failure?.reason).toContain(says);
  });
});
