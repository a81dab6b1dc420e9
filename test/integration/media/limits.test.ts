import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMedia, type MediaLimits, readMediaLimits } from '../../../src/media/media.js';
import { makeClip } from '../../support/clip.js';
import { builds, collect, framesOf, PICTURE_ONLY, runningTools, splitWhole } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'limits-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const clip = path.join(folder, 'clip.mp4');

beforeAll(() => void makeClip(clip, { seconds: 2, rate: '25' }));

describe.each(builds)('with ffmpeg from $name', ({ media, tools }) => {
  const limited = (limits: Partial<MediaLimits>) =>
    createMedia(tools, { limits: { ...readMediaLimits({}), ...limits } });

  it.each([
    ['pictures', { pixels: 1000 }, /clip\.mp4 .*160 × 120 pixels.* 1000/],
    ['streams', { streams: 1 }, /clip\.mp4 .*2 streams.* 1/],
    ['frames', { frames: 49 }, /clip\.mp4 .*more than 49 frames/],
  ])('refuses more %s than the settings allow', async (_, limits, sentence) => {
    await expect(limited(limits).probe(clip)).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringMatching(sentence),
    });
  });

  it('refuses a film whose edit list shows the same frames over and over', async () => {
    const film = path.join(folder, 'film.mov');
    const file = path.join(folder, 'edits.mov');
    makeClip(film, { seconds: 1, rate: '25', sound: false });
    writeFileSync(file, withEdits(readFileSync(film), 1000));
    await expect(media.probe(file)).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringMatching(/edits\.mov .*25 frames over and over.*edit list/),
    });
    writeFileSync(file, withEdits(readFileSync(film), 3));
    expect(await media.probe(file)).toMatchObject({ framesEstimate: 75 });
  });

  it('stops a split that gives more frames, or larger ones, than were promised', async () => {
    const facts = await media.probe(clip);
    const split = (limits: Partial<MediaLimits>) => collect(limited(limits).split(clip, { format: 'ppm', facts }));
    await expect(split({ frames: 20 })).rejects.toThrow(/clip\.mp4 .*20 frames.*MOST_FRAMES/);
    await expect(split({ pixels: 1000 })).rejects.toMatchObject({ blame: 'user' });
  });

  it('stops what takes too long, and what grows too large', async () => {
    const { facts, frames, timetable } = await splitWhole(media, clip);
    const takeSlowly = async () => {
      for await (const _ of limited({ seconds: 0.4 }).split(clip, { format: 'ppm', facts }))
        await expect.poll(runningTools).toEqual([]);
    };
    await expect(takeSlowly()).rejects.toThrow(/split clip\.mp4 .*0\.4 s.*FFMPEG_SECONDS/);
    const output = path.join(folder, 'large.mp4');
    const request = {
      format: 'ppm',
      source: clip,
      facts,
      timetable,
      others: PICTURE_ONLY,
      output,
      codec: 'h264',
    } as const;
    const stitching = limited({ outputBytes: 5000 }).stitch({ ...request, frames: framesOf(frames) });
    await expect(stitching).rejects.toThrow(/large\.mp4 .*5000 bytes.*MOST_OUTPUT_BYTES/);
    expect(existsSync(output)).toBe(false);
  });
});

/** The film with an edit list that shows it as many times. The index lies at the end of the file, so that nothing else moves when it grows. */
function withEdits(film: Buffer, times: number): Buffer {
  const find = (type: string) => film.indexOf(type, film.lastIndexOf('moov'), 'latin1') - 4;
  const [list, header] = [find('elst'), film.indexOf('mvhd', 0, 'latin1') + 4];
  const end = list + film.readUInt32BE(list);
  const edit = film.subarray(list + 16, list + 28);
  const edits = Buffer.concat([film.subarray(list, list + 16), ...Array.from({ length: times }, () => edit)]);
  edits.writeUInt32BE(edits.length, 0);
  edits.writeUInt32BE(times, 12);
  const longer = Buffer.concat([film.subarray(0, list), edits, film.subarray(end)]);
  for (const parent of ['moov', 'trak', 'edts']) {
    const at = find(parent);
    longer.writeUInt32BE(film.readUInt32BE(at) + edits.length - (end - list), at);
  }
  longer.writeUInt32BE(film.readUInt32BE(header + 16) * times, header + 16);
  return longer;
}
