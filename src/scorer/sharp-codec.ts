import sharp, { type Sharp } from 'sharp';
import type { Codec } from './codec.js';
import { PIXEL_LIMIT, unreadable } from './codec.js';
import type { Picture } from './picture.js';

/** Level 0 stores, 1 packs flat pictures at little cost; from 2 on a noisy frame costs twice the CPU time for a tenth less. */
const PNG_LEVEL = 1;
const JPEG_QUALITY = 95;

/** Everything runs on the thread pool of Node, one thread for each picture: the cores belong to the inference. */
export function createSharpCodec(): Codec {
  sharp.concurrency(1);
  sharp.cache(false);
  return {
    name: 'sharp',
    decode: async (bytes) => {
      try {
        const pipeline = sharp(bytes, { failOn: 'error', limitInputPixels: PIXEL_LIMIT, autoOrient: true });
        return await toPicture(pipeline.flatten({ background: '#000' }).toColourspace('srgb'));
      } catch (cause) {
        throw unreadable(bytes, cause);
      }
    },
    encode: (picture, format) => {
      const pipeline = fromPicture(picture);
      const encoded =
        format === 'png' ? pipeline.png({ compressionLevel: PNG_LEVEL }) : pipeline.jpeg({ quality: JPEG_QUALITY });
      return encoded.toBuffer();
    },
    resize: (picture, { width, height }) => toPicture(fromPicture(picture).resize(width, height, { fit: 'fill' })),
  };
}

function fromPicture({ data, width, height }: Picture): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

async function toPicture(pipeline: Sharp): Promise<Picture> {
  const { data, info } = await pipeline.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  // A copy: memory that belongs to sharp cannot move to another thread.
  return { width: info.width, height: info.height, data: new Uint8Array(data) };
}
