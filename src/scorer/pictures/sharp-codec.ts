import { deflateRawSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { type Codec, type Picture, PIXEL_LIMIT } from './codec.js';
import { readBmp } from './files/bmp.js';
import { gifDamage, tiffDamage } from './files/compressed-parts.js';
import { jpegDamage } from './files/jpeg-scan.js';
import { withoutMetadata } from './files/metadata.js';
import { readPpm, writePpm } from './files/ppm.js';
import { labToRgb, planTiff, type TiffPlan } from './files/tiff.js';
import { isPlainPng, kindOf, refuseDamaged, unreadable } from './picture-file.js';

const OPTIONS = { failOn: 'error', limitInputPixels: PIXEL_LIMIT, autoOrient: true } as const;
/** Pictures of satellites have a channel for each of their filters. */
const MOST_CHANNELS = 64;
const JPEG_QUALITY = 95;
/** Compressing takes five times the CPU time of storing and makes the files of noisy pictures larger. */
const PNG_STORED = 0;
const PNG_PACKED = 1;
/** Rows that are sampled to tell whether compressing a picture pays. */
const SAMPLE_ROWS = 8;
/** Compressing must save at least this share of the sample. */
const WORTH_PACKING = 0.25;

/** Runs on Node's thread pool with one thread for each picture, because the cores are for the inference. */
export function createSharpCodec(): Codec {
  sharp.concurrency(1);
  sharp.cache(false);
  return {
    name: 'sharp',
    decode: async (bytes, format) => {
      try {
        return format === 'ppm' ? readPpm(bytes) : await decode(bytes);
      } catch (cause) {
        throw unreadable(bytes, cause);
      }
    },
    encode: async (picture, format) => {
      if (format === 'ppm') return writePpm(picture);
      const pipeline = fromPicture(picture);
      const encoded =
        format === 'png'
          ? pipeline.png({ compressionLevel: packs(picture) ? PNG_PACKED : PNG_STORED })
          : pipeline.jpeg({ quality: JPEG_QUALITY });
      return encoded.toBuffer();
    },
    encodeMask: ({ data, width, height }) =>
      sharp(data, { raw: { width, height, channels: 1 } })
        .toColourspace('b-w')
        .png({ compressionLevel: PNG_PACKED })
        .toBuffer(),
    resize: (picture, { width, height }) => toPicture(fromPicture(picture).resize(width, height, { fit: 'fill' })),
  };
}

async function decode(bytes: Uint8Array): Promise<Picture> {
  if (isPlainPng(bytes)) return toPicture(openPlain(bytes));
  const kind = kindOf(bytes);
  if (kind === 'bmp') return readBmp(bytes);
  if (kind === 'tiff') return decodeTiff(bytes);
  const clean = withoutMetadata(bytes, kind);
  if (isPlainPng(clean)) return toPicture(openPlain(clean));
  refuseDamaged(kind === 'jpeg' ? jpegDamage(clean) : kind === 'gif' ? gifDamage(clean) : undefined);
  return toPicture(toRgb(sharp(clean, OPTIONS)));
}

/**
 * The library takes all channels beyond the colours for alpha, and reads Lab colours in one of their four forms alone. So it reads these
 * as they are, and what they mean is made of them here.
 */
async function decodeTiff(bytes: Uint8Array): Promise<Picture> {
  const plan = planTiff(bytes);
  refuseDamaged(tiffDamage(plan));
  const { page, bits, extra, lab } = plan;
  const options = { ...OPTIONS, page, limitInputChannels: MOST_CHANNELS, ignoreIcc: lab !== undefined };
  const alpha = extra.findIndex((meaning) => meaning > 0);
  if (lab === undefined && extra.length <= 1 && alpha === extra.length - 1)
    return toPicture(toRgb(sharp(bytes, options)));
  const isWide = lab !== undefined && bits === 16;
  const { data, info } = await sharp(lab ? withoutLab(bytes, lab) : bytes, options)
    .toColourspace(isWide ? 'rgb16' : 'srgb')
    .raw({ depth: isWide ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const samples = isWide ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
  const colours = firstThree(samples, info.channels);
  const rgb = lab ? labToRgb(colours, lab.signed) : Uint8Array.from(colours);
  if (alpha !== -1) {
    const white = isWide ? 65535 : 255;
    for (let at = 0, from = 3 + alpha; at < rgb.length; at += 3, from += info.channels)
      for (let channel = at; channel < at + 3; channel += 1)
        rgb[channel] = Math.round(((rgb[channel] ?? 0) * (samples[from] ?? 0)) / white);
  }
  return { width: info.width, height: info.height, data: rgb };
}

/** The same file that calls its colours RGB. */
function withoutLab(bytes: Uint8Array, { at, isBigEndian }: NonNullable<TiffPlan['lab']>): Buffer {
  const file = Buffer.from(bytes);
  file.set(isBigEndian ? [0, 2] : [2, 0], at);
  return file;
}

function firstThree(samples: Uint8Array | Uint16Array, channels: number): Uint8Array | Uint16Array {
  const pixels = samples.length / channels;
  const colours = samples instanceof Uint16Array ? new Uint16Array(pixels * 3) : new Uint8Array(pixels * 3);
  for (let from = 0, to = 0; to < colours.length; from += channels, to += 3)
    for (let channel = 0; channel < 3; channel += 1) colours[to + channel] = samples[from + channel] ?? 0;
  return colours;
}

/** Takes the pixels as they are, in three quarters of the time that `toRgb` needs to find that it has nothing to convert. */
function openPlain(bytes: Uint8Array): Sharp {
  return sharp(bytes, { failOn: 'error', limitInputPixels: PIXEL_LIMIT, sequentialRead: true });
}

function toRgb(image: Sharp): Sharp {
  return image.flatten({ background: '#000' }).toColourspace('srgb');
}

/** Depends on the picture alone, so that scoring a frame again gives the same bytes. */
function packs({ width, height, data }: Picture): boolean {
  const rows = Array.from({ length: Math.min(SAMPLE_ROWS, height) }, (_, index) => {
    const row = Math.floor(((index + 0.5) * height) / SAMPLE_ROWS) % height;
    return data.subarray(row * width * 3, (row + 1) * width * 3);
  });
  const sample = Buffer.concat(rows);
  return deflateRawSync(sample, { level: PNG_PACKED }).length < sample.length * (1 - WORTH_PACKING);
}

function fromPicture({ data, width, height }: Picture): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

async function toPicture(pipeline: Sharp): Promise<Picture> {
  const { data, info } = await pipeline.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  // A copy: memory that belongs to sharp cannot move to another thread.
  return { width: info.width, height: info.height, data: new Uint8Array(data) };
}
