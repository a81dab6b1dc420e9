import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMedia, type MediaLimits, readMediaLimits } from '../../../src/media/media.js';
import { makeClip } from '../../support/clip.js';
import { builds, collect, framesOf, runningTools, splitWhole } from '../../support/media.js';

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
    ['frames', { frames: 49 }, /clip\.mp4 .*50 frames.* 49/],
  ])('refuses more %s than the settings allow', async (_, limits, sentence) => {
    await expect(limited(limits).probe(clip)).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringMatching(sentence),
    });
  });

  it('stops a split that gives more frames, or larger ones, than were promised', async () => {
    const facts = await media.probe(clip);
    const split = (limits: Partial<MediaLimits>) => collect(limited(limits).split(clip, { format: 'png', facts }));
    await expect(split({ frames: 20 })).rejects.toThrow(/clip\.mp4 .*20 frames.*MOST_FRAMES/);
    await expect(split({ pixels: 1000 })).rejects.toMatchObject({ blame: 'user' });
  });

  it('stops what takes too long, and what grows too large', async () => {
    const { facts, frames, timetable } = await splitWhole(media, clip);
    const takeSlowly = async () => {
      for await (const _ of limited({ seconds: 0.4 }).split(clip, { format: 'png', facts }))
        await expect.poll(runningTools).toEqual([]);
    };
    await expect(takeSlowly()).rejects.toThrow(/split clip\.mp4 .*0\.4 s.*FFMPEG_SECONDS/);
    const output = path.join(folder, 'large.mp4');
    const request = { format: 'png', source: clip, facts, timetable, output, codec: 'h264' } as const;
    const stitching = limited({ outputBytes: 5000 }).stitch({ ...request, frames: framesOf(frames) });
    await expect(stitching).rejects.toThrow(/large\.mp4 .*5000 bytes.*MOST_OUTPUT_BYTES/);
    expect(existsSync(output)).toBe(false);
  });
});
