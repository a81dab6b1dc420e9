import { Jimp, JimpMime, ResizeStrategy } from 'jimp';
import { type Codec, type Picture, PIXEL_LIMIT } from './codec.js';
import { readBmp } from './files/bmp.js';
import { gifDamage, tiffDamage } from './files/compressed-parts.js';
import { jpegDamage } from './files/jpeg-scan.js';
import { withoutMetadata } from './files/metadata.js';
import { readPpm, writePpm } from './files/ppm.js';
import { planTiff, type TiffPlan } from './files/tiff.js';
import { kindOf, pngSize, refuseDamaged, refuseHuge, unreadable } from './picture-file.js';

const PNG_LEVEL = 1;
const JPEG_QUALITY = 95;
/** pngjs: filter type 0 is none, strategy 0 the default one of zlib, colour type 2 RGB. */
const PNG_OPTIONS = {
  deflateLevel: PNG_LEVEL,
  deflateStrategy: 0,
  filterType: 0,
  colorType: 2,
  inputHasAlpha: true,
} as const;

/** Pure JavaScript: works everywhere, and blocks the event loop while it works. */
export function createJimpCodec(): Codec {
  return {
    name: 'jimp',
    decode: async (bytes, format) => {
      try {
        return format === 'ppm' ? readPpm(bytes) : await decode(bytes);
      } catch (cause) {
        throw unreadable(bytes, cause);
      }
    },
    encode: async (picture, format) => {
      if (format === 'ppm') return writePpm(picture);
      const image = Jimp.fromBitmap(toBitmap(picture));
      return format === 'png'
        ? image.getBuffer(JimpMime.png, PNG_OPTIONS)
        : image.getBuffer(JimpMime.jpeg, { quality: JPEG_QUALITY });
    },
    encodeMask: ({ width, height, data }) => {
      const grey = new Uint8Array(data.length * 3);
      data.forEach((value, index) => grey.fill(value, index * 3, index * 3 + 3));
      const image = Jimp.fromBitmap(toBitmap({ width, height, data: grey }));
      return image.getBuffer(JimpMime.png, { ...PNG_OPTIONS, colorType: 0 });
    },
    resize: (picture, { width, height }) => {
      const image = Jimp.fromBitmap(toBitmap(picture));
      return Promise.resolve(flatten(image.resize({ w: width, h: height, mode: ResizeStrategy.BILINEAR }).bitmap));
    },
  };
}

async function decode(bytes: Uint8Array): Promise<Picture> {
  const kind = kindOf(bytes);
  if (kind === 'webp' || kind === 'avif')
    throw new RangeError('WebP and AVIF need sharp, but jimp is used in its place');
  if (kind === 'bmp') return readBmp(bytes);
  const size = pngSize(bytes);
  // jimp itself would allocate whatever size the header of a file claims.
  if (size) refuseHuge(size);
  if (kind === 'tiff') refuseOdd(planTiff(bytes));
  refuseDamaged(kind === 'jpeg' ? jpegDamage(bytes) : kind === 'gif' ? gifDamage(bytes) : undefined);
  const clean = withoutMetadata(bytes, kind);
  const file = Buffer.from(clean.buffer, clean.byteOffset, clean.byteLength);
  const { bitmap } = await Jimp.fromBuffer(file, { 'image/jpeg': { maxResolutionInMP: PIXEL_LIMIT / 1e6 } });
  return flatten(bitmap);
}

/** jimp reads the first page alone, and takes each fourth channel for alpha. */
function refuseOdd(plan: TiffPlan): void {
  const { page, extra, lab } = plan;
  refuseDamaged(tiffDamage(plan));
  if (page > 0 || lab || extra.some((meaning) => meaning === 0))
    throw new RangeError(
      'a TIFF with a preview, Lab colours or channels beside its colours needs sharp, but jimp is used in its place',
    );
}

/** RGBA to RGB over black. */
function flatten(bitmap: { width: number; height: number; data: Uint8Array }): Picture {
  const { width, height, data: rgba } = bitmap;
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    const alpha = rgba[from + 3] ?? 0;
    for (let channel = 0; channel < 3; channel += 1) {
      const value = rgba[from + channel] ?? 0;
      data[to + channel] = alpha === 255 ? value : Math.round((value * alpha) / 255);
    }
  }
  return { width, height, data };
}

function toBitmap({ width, height, data: rgb }: Picture): { width: number; height: number; data: Buffer } {
  // Not from Node's pool: jimp looks at the memory behind the buffer from its start.
  const data = Buffer.alloc(width * height * 4);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    data[to] = rgb[from] ?? 0;
    data[to + 1] = rgb[from + 1] ?? 0;
    data[to + 2] = rgb[from + 2] ?? 0;
    data[to + 3] = 255;
  }
  return { width, height, data };
}
