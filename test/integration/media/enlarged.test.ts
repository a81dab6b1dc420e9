import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import type { FrameFormat } from '../../../src/job/items/formats.js';
import { ppmHeader } from '../../../src/job/items/ppm.js';
import { makeClip } from '../../support/clip.js';
import { builds, decodeRgb, framesOf, packetHashes, some, splitWhole } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'enlarged-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const flat = async (width: number, height: number, background: string, format: FrameFormat) => {
  const picture = sharp({ create: { width, height, channels: 3, background } });
  if (format === 'ppm') return Buffer.concat([Buffer.from(ppmHeader(width, height)), await picture.raw().toBuffer()]);
  return (format === 'png' ? picture.png() : picture.jpeg({ quality: 95, chromaSubsampling: '4:4:4' })).toBuffer();
};

describe.each(builds)('pictures of another size than the source, stitched by ffmpeg from $name', (build) => {
  it.each(
    some([
      ['h264', 'png', 161, 121, [162, 122], 4],
      ['ffv1', 'jpg', 161, 121, [161, 121], 4],
      ['h265', 'ppm', 161, 121, [162, 122], 4],
      ['vp9', 'ppm', 40, 30, [40, 30], 4],
    ]),
  )(
    'make %s of %s frames %i wide and %i high, those of the source scaled',
    async (codec, format, width, height, size, off) => {
      const source = makeClip(path.join(folder, `${codec}.mp4`), { size: '96x64', rate: '10', seconds: 0.5 });
      const { facts, timetable } = await splitWhole(build.media, source);
      const colours = ['#f00', '#0f0', '#00f', '#ff0', '#0ff'];
      // The third one could not be scored.
      const frames = await Promise.all(
        colours.map((colour, index) =>
          index === 2 ? flat(96, 64, colour, format) : flat(width, height, colour, format),
        ),
      );
      const output = path.join(folder, `${codec}.mkv`);
      const shape = { width, height, sampleAspect: { num: 3, den: 2 } };
      const { others } = await build.media.rehearse({ source, facts, shape, output, codec });
      const request = { format, source, facts, shape, timetable, others, output, codec };
      await build.media.stitch({ ...request, frames: framesOf(frames) });
      const made = await build.media.probe(output);
      expect([made.width, made.height, made.sampleAspect]).toEqual([...size, shape.sampleAspect]);
      expect((await build.media.compare(request)).problems).toEqual([]);
      expect(packetHashes(build, output)).toEqual(packetHashes(build, source));
      const pixels = decodeRgb(build, output, 'scale=flags=bicubic+accurate_rnd+full_chroma_int,format=rgb24');
      const bytes = made.width * made.height * 3;
      const corners = colours.map((_, frame) =>
        [0, bytes - 3].map((at) => [...pixels.subarray(frame * bytes + at).subarray(0, 3)]),
      );
      const expected = [
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
        [255, 255, 0],
        [0, 255, 255],
      ];
      for (const [frame, colour] of expected.entries())
        for (const corner of corners[frame] ?? [])
          for (const [channel, value] of corner.entries())
            expect(Math.abs(value - (colour[channel] ?? 0)), `frame ${frame}`).toBeLessThanOrEqual(off);
    },
  );
});
