import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { FRAME_FORMATS, type FrameFormat } from '../../../src/job/items/formats.js';
import { ppmHeader } from '../../../src/job/items/ppm.js';
import type { VideoFacts } from '../../../src/media/media.js';
import {
  builds,
  compareRgb,
  decodeRgb,
  EXACT,
  packetHashes,
  roundTrip,
  sample,
  some,
  startOf,
} from '../../support/media.js';
import { hasSharedData, sharedData } from '../../support/shared-data.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'media-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type SampleTrip = Awaited<ReturnType<typeof roundTrip>>;

const video = (name: string) => sharedData('videos', name);

describe.each(builds)('split and stitch with ffmpeg from $name', (build) => {
  const { media, name: buildName } = build;
  const out = (name: string) => path.join(folder, `${path.basename(buildName)}-${name}`);

  const trips = new Map<FrameFormat, Promise<SampleTrip>>();
  /** The sample through frames of this kind, once for all tests. */
  const sampleThrough = (format: FrameFormat) => {
    const trip = trips.get(format) ?? roundTrip(media, sample, out(`sample-${format}.mp4`), { format });
    trips.set(format, trip);
    return trip;
  };

  async function thereAndBack(source: string, name: string) {
    const output = out(name);
    const { facts } = await roundTrip(media, source, output);
    return { facts, output, after: await media.probe(output) };
  }

  it.each(some(FRAME_FORMATS))(
    'keeps count, rate, duration, sound, picture and colours of the sample through %s',
    async (format) => {
      const { facts } = await sampleThrough(format);
      const output = out(`sample-${format}.mp4`);
      const after = await media.probe(output);
      expectSame(facts, after);
      expect(after.colour).toEqual(facts.colour);
      expect(packetHashes(build, output)).toEqual(packetHashes(build, sample));
      expect(startOf(build, output, 'a:0')).toBe(startOf(build, sample, 'a:0'));
      const { psnr, shift } = compareRgb(decodeRgb(build, sample, EXACT), decodeRgb(build, output, EXACT));
      expect(psnr).toBeGreaterThan(format === 'jpg' ? 35 : 40);
      for (const channel of shift) expect(Math.abs(channel)).toBeLessThan(1);
    },
  );

  it.runIf(buildName === 'npm')(
    'splits into the same pixels as PPM and as PNG, and stitches the same file of them',
    async () => {
      const [ppm, png] = await Promise.all(
        (['ppm', 'png'] as const).map(async (format) => {
          const { frames, timetable } = await sampleThrough(format);
          return { frames, timetable, file: readFileSync(out(`sample-${format}.mp4`)) };
        }),
      );
      expect(ppm?.timetable).toEqual(png?.timetable);
      expect(ppm?.file.equals(png?.file ?? Buffer.alloc(0))).toBe(true);
      const raw = await Promise.all((png?.frames ?? []).map((frame) => sharp(frame).raw().toBuffer()));
      const { width, height } = await sharp(png?.frames[0]).metadata();
      const expected = raw.map((pixels) => Buffer.concat([Buffer.from(ppmHeader(width, height)), pixels]));
      expect(expected.length).toBeGreaterThan(100);
      for (const [index, frame] of expected.entries())
        expect(ppm?.frames[index]?.equals(frame), `frame ${index}`).toBe(true);
    },
  );

  it.skipIf(!hasSharedData).each(
    some([
      ['realshort.mp4', 36],
      ['derived/bbb_ntsc2997_h264_aac.mp4', 62],
      ['tc_nasa_13013.mp4', 325],
      ['derived/single_frame.mp4', 1],
    ]),
  )('gives back %s with its %i frames', async (name, frames) => {
    const { facts, output, after } = await thereAndBack(video(name), path.basename(name));
    expect(facts.framesEstimate).toBe(frames);
    expectSame(facts, after);
    expect(packetHashes(build, output)).toEqual(packetHashes(build, video(name)));
    const { psnr, shift } = compareRgb(decodeRgb(build, video(name), EXACT), decodeRgb(build, output, EXACT));
    expect(psnr).toBeGreaterThan(40);
    for (const channel of shift) expect(Math.abs(channel)).toBeLessThan(1);
  });

  it.skipIf(!hasSharedData)(
    'adds a column and a row to an odd size and keeps the offset between picture and sound',
    async () => {
      const source = video('derived/bbb_odd_321x181_vp9_opus.webm');
      const { facts, output, after } = await thereAndBack(source, 'odd.mp4');
      expectSame(facts, after);
      expect(after).toMatchObject({ width: 322, height: 182, sampleAspect: { num: 322, den: 321 } });
      expect(packetHashes(build, output)).toEqual(packetHashes(build, source));
      const shown = decodeRgb(build, output, `${EXACT},crop=321:181:0:0`);
      const { psnr, shift } = compareRgb(decodeRgb(build, source, EXACT), shown);
      expect(psnr).toBeGreaterThan(40);
      for (const channel of shift) expect(Math.abs(channel)).toBeLessThan(1);
    },
  );
});

function expectSame(before: VideoFacts, after: VideoFacts): void {
  const { framesEstimate, audioStreams, frameRate } = before;
  expect(after).toMatchObject({ framesEstimate, audioStreams, pixelFormat: 'yuv420p', codec: 'h264' });
  expect(after.frameRate.num / after.frameRate.den).toBeCloseTo(frameRate.num / frameRate.den, 1);
  expect(Math.abs(after.durationSeconds - before.durationSeconds)).toBeLessThanOrEqual(frameRate.den / frameRate.num);
  expect(Math.abs(after.startTime - before.startTime)).toBeLessThan(0.001);
}
