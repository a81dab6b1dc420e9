import { deflateRawSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import type { Codec, Picture } from './codec.js';
import { isPlainPng, kindOf, PIXEL_LIMIT, unreadable } from './picture-file.js';

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
    decode: async (bytes) => {
      try {
        // The binaries that come with sharp read no BMP.
        if (kindOf(bytes) === 'bmp') return await (await import('./jimp-codec.js')).decodeWithJimp(bytes);
        return await toPicture(isPlainPng(bytes) ? openPlain(bytes) : openAny(bytes));
      } catch (cause) {
        throw unreadable(bytes, cause);
      }
    },
    encode: (picture, format) => {
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

/** Takes the pixels as they are, in three quarters of the time that `openAny` needs to find that it has nothing to convert. */
function openPlain(bytes: Uint8Array): Sharp {
  return sharp(bytes, { failOn: 'error', limitInputPixels: PIXEL_LIMIT, sequentialRead: true });
}

function openAny(bytes: Uint8Array): Sharp {
  const options = { failOn: 'error', limitInputPixels: PIXEL_LIMIT, autoOrient: true } as const;
  return sharp(bytes, options).flatten({ background: '#000' }).toColourspace('srgb');
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
