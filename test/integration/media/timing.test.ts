import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type Build,
  builds,
  framesOf,
  PICTURE_ONLY,
  roundTrip,
  shownTimes,
  some,
  splitWhole,
  startOf,
  stitchWhole,
} from '../../support/media.js';
import { hasSharedData, sharedData } from '../../support/shared-data.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'timing-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const clip = (rate: string, seconds = 1) => [
  '-f',
  'lavfi',
  '-i',
  `testsrc2=size=64x48:rate=${rate}:duration=${seconds}`,
];
const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=1'];
const VARIABLE = "setpts='(N+floor(N/3)*2)/30/TB+0.0037*mod(N,2)/TB'";
const LATE = "setpts='PTS+0.37/TB'";
const x264 = ['-c:v', 'libx264', '-bf', '3'];

/** Clips with awkward times, as ffmpeg options; those first that differ most in how FFmpeg reads and writes them. */
const clips: [name: string, file: string, frames: number, options: string[]][] = [
  ['a rate that varies and B-frames', 'variable.mp4', 30, [...clip('30'), '-vsync', '0', '-vf', VARIABLE, ...x264]],
  [
    'a transport stream whose sound starts after the picture',
    'late.ts',
    25,
    [...clip('25'), '-itsoffset', '0.7', ...tone, ...x264, '-c:a', 'aac'],
  ],
  [
    'a picture that starts 24 ms after the sound, both seconds after the start',
    'offset.mp4',
    25,
    [...clip('25'), ...tone, ...x264, '-c:a', 'aac', '-output_ts_offset', '3.5'],
  ],
  ['23.976 frames a second', 'film.mp4', 24, [...clip('24000/1001'), ...x264]],
  ['29.97 frames a second', 'ntsc.mov', 30, [...clip('30000/1001'), ...x264]],
  ['59.94 frames a second', 'fast.mp4', 60, [...clip('60000/1001'), ...x264]],
  [
    'a picture that starts after the sound',
    'late.mkv',
    25,
    [...clip('25'), ...tone, '-vsync', '0', '-vf', LATE, ...x264],
  ],
  ['a transport stream that starts at 1.4 s', 'stream.ts', 25, [...clip('25'), ...tone, ...x264, '-c:a', 'aac']],
  [
    'a slide show with seconds between pictures',
    'slides.mkv',
    5,
    [...clip('1', 5), '-vsync', '0', '-vf', "settb=1/1000,setpts='N*N*0.9/TB'", '-enc_time_base', '1:1000', ...x264],
  ],
];

/** Seconds that a file as a whole says it is long. */
const lengthOf = ({ tools }: Build, file: string) =>
  Number(
    execFileSync(tools.ffprobe, ['-v', 'error', '-show_entries', 'format=duration', '-of', 'csv=p=0', file], {
      encoding: 'utf8',
    }),
  );

describe.each(builds)('times through ffmpeg from $name', (build) => {
  const out = (file: string) => path.join(folder, `${path.basename(build.name)}-${file}`);

  it.each(some(clips, 3))('are those of the source for %s', async (_, file, frames, options) => {
    const source = out(file);
    execFileSync(build.tools.ffmpeg, ['-loglevel', 'error', '-y', ...options, source]);
    const outputs = some(['mp4', 'mkv']).map((ending) => out(`${file}.${ending}`));
    for (const { facts, timetable, others, output } of await expectSameTimes(source, outputs, frames))
      expect(await build.media.compare({ source, facts, timetable, others, output })).toMatchObject({ problems: [] });
  });

  it.skipIf(!hasSharedData).each(
    some([
      ['tc_var_fps_video.mp4', 300],
      ['mb_edts.mp4', 225],
      ['mb_trim-buck-bunny.webm', 120],
      ['derived/single_frame.mp4', 1],
    ]),
  )('are those of %s', async (name, frames) => {
    await expectSameTimes(sharedData('videos', name), [out(`${path.basename(name)}-again.mp4`)], frames);
  });

  it('include how long the last picture is held, in every container and from each into the next', async () => {
    const source = out('held.mp4');
    execFileSync(build.tools.ffmpeg, ['-loglevel', 'error', '-y', ...clip('25', 0.4), ...x264, source]);
    const { facts, frames, timetable } = await splitWhole(build.media, source, { format: 'jpg' });
    const first = out('held-0.1.mov');
    const held = { ...timetable, lastTicks: (timetable.timeBase.den / timetable.timeBase.num) * 0.1 };
    const request = { format: 'jpg', source, facts, others: PICTURE_ONLY, codec: 'h264' } as const;
    await build.media.stitch({ ...request, frames: framesOf(frames), timetable: held, output: first });
    const chain = [first, out('held-0.1.mkv'), out('held-0.1.mp4'), out('held-0.1.mkv.mov')];
    for (const [index, output] of chain.entries()) {
      if (index > 0) await expectSameTimes(chain[index - 1] ?? '', [output], 10);
      expect((await build.media.probe(output)).lastSeconds).toBeCloseTo(0.1, 3);
    }
    const minute = { ...held, times: held.times.slice(0, 1), lastTicks: held.lastTicks * 600 };
    for (const [codec, ending] of some(
      [
        ['h264', 'mp4'],
        ['vp9', 'webm'],
        ['h265', 'mov'],
        ['ffv1', 'mkv'],
      ],
      2,
    )) {
      const output = out(`minute.${ending}`);
      const one = { ...request, frames: framesOf(frames.slice(0, 1)), timetable: minute, output, codec };
      await build.media.stitch(one);
      expect((await build.media.compare(one)).problems).toEqual([]);
      expect((await build.media.probe(output)).durationSeconds).toBeCloseTo(60, 2);
    }
  });

  it.each(some(['mp4', 'mkv', 'mov', 'webm'], 2))('end with a short last picture, and so does a %s', async (ending) => {
    const source = out('short-last.mp4');
    const uneven = "select='not(mod(n,5))+eq(n,24)'";
    const options = [...clip('25'), '-vsync', '0', '-vf', uneven, ...x264];
    execFileSync(build.tools.ffmpeg, ['-loglevel', 'error', '-y', ...options, source]);
    const { facts, timetable } = await splitWhole(build.media, source);
    const output = out(`short-last.${ending}`);
    await roundTrip(build.media, source, output, { codec: ending === 'webm' ? 'vp9' : 'h264' });
    expect(lengthOf(build, output)).toBeCloseTo(facts.startTime + facts.durationSeconds, 3);
    expect(timetable.times.length).toBe(6);
  });

  it('end with a sound that is longer than a short last picture', async () => {
    const source = out('short-last-sound.mp4');
    const uneven = "select='not(mod(n,5))+eq(n,24)'";
    const options = [...clip('25'), '-f', 'lavfi', '-i', 'sine=duration=1.5', '-vsync', '0', '-vf', uneven, ...x264];
    execFileSync(build.tools.ffmpeg, ['-loglevel', 'error', '-y', ...options, '-c:a', 'aac', source]);
    for (const ending of some(['mp4', 'mkv'])) {
      await roundTrip(build.media, source, out(`short-last-sound.${ending}`));
      expect(lengthOf(build, out(`short-last-sound.${ending}`))).toBeGreaterThan(1.49);
    }
  });

  it.each(
    some([
      ['alone', 'alone.ts', 0, []],
      ['alone', 'alone.mpg', 0, []],
      ['with a sound as short', 'short.ts', 0.0109, '-f lavfi -i sine=duration=0.02 -c:a mp2'.split(' ')],
      ['with a longer sound', 'longer.ts', 0.0109, '-f lavfi -i sine=duration=2 -c:a mp2'.split(' ')],
    ] as const),
  )('of a single picture %s (%s) count from the start of the file', async (_, file, start, sound) => {
    const source = out(file);
    const picture = [...clip('25', 0.04), ...sound, '-c:v', 'mpeg2video'];
    execFileSync(build.tools.ffmpeg, ['-loglevel', 'error', '-y', ...picture, source]);
    const output = out(`${file}.mp4`);
    const { facts, timetable, others } = await roundTrip(build.media, source, output);
    const comparison = await build.media.compare({ source, facts, timetable, output, others });
    expect(comparison).toMatchObject({ frames: { found: 1 }, problems: [] });
    expect(startOf(build, output, 'v:0')).toBeCloseTo(start, 2);
  });

  it('that the container cannot hold are found out before a frame is split', async () => {
    const source = out('hours.avi');
    execFileSync(build.tools.ffmpeg, ['-loglevel', 'error', '-y', ...clip('25'), '-c:v', 'mpeg4', source]);
    const film = readFileSync(source);
    // Scale and rate in the header of the stream: a picture an hour.
    film.writeUInt32LE(3600, film.indexOf('strh') + 28);
    film.writeUInt32LE(1, film.indexOf('strh') + 32);
    writeFileSync(source, film);
    const request = { source, facts: await build.media.probe(source), codec: 'h264' } as const;
    await expect(build.media.rehearse({ ...request, output: 'x.mp4' })).rejects.toThrow(
      /x\.mp4 .*times.*90000 s.*\.mkv/,
    );
    expect((await build.media.rehearse(request)).ending).toBe('.mkv');
  });

  it('are spread evenly where frames share one, and the check says how many were', async () => {
    const source = out('shared.mkv');
    const pairs = ['-vsync', '0', '-vf', "settb=1/1000,setpts='floor(N/2)*80'", '-enc_time_base', '1:1000'];
    execFileSync(build.tools.ffmpeg, ['-loglevel', 'error', '-y', ...clip('25'), ...pairs, '-c:v', 'ffv1', source]);
    const { facts, timetable, others } = await roundTrip(build.media, source, out('spread.mp4'), { format: 'jpg' });
    expect(shownTimes(build, source).slice(0, 4)).toEqual([0, 0, 0.08, 0.08]);
    expect(timetable.repaired).toBe(12);
    const comparison = await build.media.compare({ source, facts, timetable, others, output: out('spread.mp4') });
    expect(comparison).toMatchObject({ frames: { expected: 25, found: 25, repairedTimes: 12 }, problems: [] });
    const even = timetable.times.map((_, index) => index * 0.04);
    expect(shownTimes(build, out('spread.mp4')).map((time) => Math.round(time * 1000) / 1000)).toEqual(
      even.map((time) => Math.round(time * 1000) / 1000),
    );
  });

  it('of AVI, which says them of packets only, end with the last packet', async () => {
    const source = out('late.avi');
    const late = [...tone, '-itsoffset', '0.7', ...clip('25'), ...x264, '-vsync', '0'];
    execFileSync(build.tools.ffmpeg, ['-loglevel', 'error', '-y', ...late, source]);
    const { facts, timetable, others } = await roundTrip(build.media, source, out('late.avi.mp4'), { format: 'jpg' });
    const comparison = await build.media.compare({ source, facts, timetable, others, output: out('late.avi.mp4') });
    expect(comparison).toMatchObject({ frames: { expected: 25, found: 25 }, seconds: { expected: 1 }, problems: [] });
  });

  async function expectSameTimes(source: string, outputs: string[], frames: number) {
    const whole = await splitWhole(build.media, source, { format: 'jpg' });
    const { facts, timetable } = whole;
    const before = shownTimes(build, source);
    expect(timetable).toMatchObject({ repaired: 0, times: { length: frames } });
    const stitched = [];
    for (const output of outputs) {
      const { others } = await stitchWhole(build.media, source, output, whole, { format: 'jpg' });
      const shown = shownTimes(build, output);
      expect(shown).toHaveLength(frames);
      for (const [index, time] of shown.entries())
        expect(Math.abs(time - (before[index] ?? 0)), `frame ${index}`).toBeLessThan(0.001);
      const frame = facts.frameRate.den / facts.frameRate.num;
      const after = await build.media.probe(output);
      expect(Math.abs(after.durationSeconds - facts.durationSeconds)).toBeLessThanOrEqual(frame);
      stitched.push({ facts, timetable, others, output });
    }
    return stitched;
  }
});
