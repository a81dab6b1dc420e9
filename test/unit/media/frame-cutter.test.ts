import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { ppmHeader } from '../../../src/job/items/ppm.js';
import { cutFrames } from '../../../src/media/split/frame-cutter.js';
import { collect } from '../../support/media.js';

const noise = (size: number, seed: number) =>
  sharp(Buffer.from(Array.from({ length: size * size * 3 }, (_, i) => (i * i * seed + i) % 256)), {
    raw: { width: size, height: size, channels: 3 },
  });

/** Its pixels look like headers. */
const ppm = (width: number, height: number) =>
  Buffer.concat([Buffer.from(ppmHeader(width, height)), Buffer.alloc(width * height * 3, 'P6\n2 2\n255\n')]);

async function* chunks(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const refuse = () => {
  throw new Error('The stream ends within a picture.');
};

describe('cutFrames', () => {
  it.each([1, 2, 3, 7, 64, 1000, 1 << 20])(
    'cuts PPM, PNG and JPEG streams that arrive in chunks of %i bytes',
    async (size) => {
      const ppms = [1, 5, 17, 40, 1].map((side) => ppm(side, side + 1));
      expect(await collect(cutFrames(chunks(Buffer.concat(ppms), size), 'ppm', refuse))).toEqual(ppms);
      const pngs = await Promise.all([5, 17, 40].map((side) => noise(side, 7).png().toBuffer()));
      expect(await collect(cutFrames(chunks(Buffer.concat(pngs), size), 'png', refuse))).toEqual(pngs);
      const thumbnail = await noise(8, 3).jpeg().toBuffer();
      // A thumbnail inside an application segment brings an end marker of its own.
      const segment = Buffer.concat([Buffer.from([0xff, 0xe1, 0, 0]), thumbnail]);
      const jpegs = await Promise.all(
        [noise(33, 5).jpeg({ quality: 100 }), noise(64, 11).jpeg({ progressive: true })].map((image) =>
          image.toBuffer(),
        ),
      );
      const tagged = jpegs.map((jpeg) => Buffer.concat([jpeg.subarray(0, 2), withLength(segment), jpeg.subarray(2)]));
      expect(await collect(cutFrames(chunks(Buffer.concat(tagged), size), 'jpg', refuse))).toEqual(tagged);
    },
  );

  it('refuses a stream that is none of PPM', async () => {
    const other = Buffer.concat([ppm(3, 2), Buffer.from('P5\n3 2\n255\n0123456789')]);
    await expect(collect(cutFrames(chunks(other, 7), 'ppm', refuse))).rejects.toThrow('something else than a PPM');
  });

  it('leaves out a picture within which the stream ends, and says so', async () => {
    const png = await noise(20, 3).png().toBuffer();
    for (const [format, picture] of [
      ['ppm', ppm(3, 2)],
      ['png', png],
    ] as const) {
      let said = 0;
      const cut = Buffer.concat([picture, picture]).subarray(0, -1);
      const whole = await collect(cutFrames(chunks(cut, 7), format, () => (said += 1)));
      expect(whole).toEqual([picture]);
      expect(said).toBe(1);
    }
  });
});

function withLength(segment: Buffer): Buffer {
  segment.writeUInt16BE(segment.length - 2, 2);
  return segment;
}
