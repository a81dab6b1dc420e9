import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OtherStreams, Timetable, VideoFacts } from '../../../src/media/media.js';
import { makeClip } from '../../support/clip.js';
import { builds, roundTrip } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'compare-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(builds)('the check of an output with ffprobe from $name', ({ media, name }) => {
  const out = (file: string) => path.join(folder, `${path.basename(name)}-${file}`);
  const [source, output] = [out('source.mp4'), out('output.mp4')];
  const known: { facts: VideoFacts; timetable: Timetable; others: OtherStreams }[] = [];

  beforeAll(async () => {
    makeClip(source, { rate: '24000/1001', seconds: 1 });
    known.push(await roundTrip(media, source, output));
  });

  const compared = (change: (timetable: Timetable) => Partial<Timetable>, against = source) => {
    const [first] = known;
    if (!first) throw new Error('the source was not split');
    const timetable = { ...first.timetable, ...change(first.timetable) };
    return media.compare({ source: against, facts: first.facts, timetable, output, others: first.others });
  };

  it('finds the same frames, times, length and sound, and says how far they are apart', async () => {
    const comparison = await compared(() => ({}));
    expect(comparison).toMatchObject({ frames: { expected: 24, found: 24, repairedTimes: 0 }, problems: [] });
    expect(comparison.largestTimeError).toBeLessThan(0.001);
    expect(comparison.sound).toMatchObject([{ sameData: true, offsetError: 0 }]);
    expect(comparison.sound[0]?.found).toBe(comparison.sound[0]?.expected);
  });

  it('finds a missing frame', async () => {
    const { problems } = await compared(({ times, frameTicks }) => ({
      times: [...times, (times.at(-1) ?? 0) + frameTicks],
    }));
    expect(problems[0]).toMatch(/24 frames.* 25/);
  });

  it('finds a frame that is shown two milliseconds late', async () => {
    const { problems, largestTimeError } = await compared(({ times, timeBase }) => ({
      times: times.map((time, index) =>
        index === 7 ? time - Math.round((0.002 * timeBase.den) / timeBase.num) : time,
      ),
    }));
    expect(largestTimeError).toBeCloseTo(0.002, 4);
    expect(problems).toEqual([expect.stringContaining(`${largestTimeError} s`)]);
  });

  it('finds other sound and missing sound', async () => {
    const other = makeClip(out('other.mp4'), { seconds: 3 });
    expect((await compared(() => ({}), other)).problems[0]).toMatch(/Sound track 0 .*\d+ packets.*\d+/);
  });
});
