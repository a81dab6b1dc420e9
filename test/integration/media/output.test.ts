import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StitchRequest } from '../../../src/media/media.js';
import {
  type Build,
  builds,
  isIndexed,
  packetHashes,
  rgbOf,
  roundTrip,
  some,
  splitWhole,
} from '../../support/media.js';
import { hasSharedData, sharedData } from '../../support/shared-data.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'output-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SUBTITLES = '1\n00:00:00,100 --> 00:00:00,700\nHello\n';
const CHAPTERS =
  ';FFMETADATA1\ntitle=Coast\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=One\n' +
  '[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1000\ntitle=Two\n';

interface Shown {
  streams: { codec_type: string; codec_name: string; tags?: { language?: string }; disposition: { default: number } }[];
  chapters: { start_time: string; tags: { title: string } }[];
  format: { tags?: { title?: string } };
}

function show({ tools }: Build, file: string): Shown {
  const what = ['-v', 'error', '-show_streams', '-show_chapters', '-show_format', '-of', 'json', file];
  return JSON.parse(execFileSync(tools.ffprobe, what, { encoding: 'utf8' })) as Shown;
}

/** A second of pictures with two languages of sound, subtitles, chapters and a title. */
function makeRich({ tools }: Build, file: string, sound: string): void {
  writeFileSync(path.join(folder, 'text.srt'), SUBTITLES);
  writeFileSync(path.join(folder, 'chapters.txt'), CHAPTERS);
  const tone = (pitch: number) => ['-f', 'lavfi', '-i', `sine=frequency=${pitch}:duration=1`];
  const inputs = ['-f', 'lavfi', '-i', 'testsrc2=size=64x48:rate=25:duration=1', ...tone(440), ...tone(880)];
  const texts = ['-i', path.join(folder, 'text.srt'), '-i', path.join(folder, 'chapters.txt')];
  const maps = '-map 0 -map 1 -map 2 -map 3 -map_metadata 4 -map_chapters 4'.split(' ');
  const tags = [
    '-metadata:s:a:0',
    'language=eng',
    '-metadata:s:a:1',
    'language=fra',
    '-metadata:s:s:0',
    'language=ger',
    '-c:s',
    'srt',
  ];
  const wanted = ['-disposition:a:0', '0', '-disposition:a:1', 'default', '-c:a', sound, '-ac', '2', '-strict', '-2'];
  execFileSync(tools.ffmpeg, [
    '-loglevel',
    'error',
    '-y',
    ...inputs,
    ...texts,
    ...maps,
    ...tags,
    ...wanted,
    '-c:v',
    'libx264',
    file,
  ]);
}

async function checkedRoundTrip({ media }: Build, source: string, output: string, choice: Partial<StitchRequest> = {}) {
  const { facts, timetable, others, warnings } = await roundTrip(media, source, output, choice);
  return { warnings, others, comparison: await media.compare({ source, facts, timetable, others, output }) };
}

describe.each(builds)('an output by ffmpeg from $name', (build) => {
  const out = (file: string) => path.join(folder, `${path.basename(build.name)}-${file}`);
  const [aac, opus] = [out('aac.mkv'), out('opus.mkv')];

  beforeAll(() => {
    makeRich(build, aac, 'aac');
    makeRich(build, opus, 'libopus');
  });

  it.each(
    some(
      [
        ['mp4', aac, 'mov_text', 'h264'],
        ['webm', opus, 'webvtt', 'vp9'],
        ['mov', aac, 'mov_text', 'h264'],
        ['mkv', aac, 'subrip', 'h264'],
      ],
      2,
    ),
  )('.%s keeps languages, the default track, subtitles, chapters and title', async (ending, source, text, codec) => {
    const output = out(`rich.${ending}`);
    const { warnings, comparison } = await checkedRoundTrip(build, source, output, { codec });
    expect(comparison.problems).toEqual([]);
    expect(warnings).toEqual([]);
    expect(isIndexed(output)).toBe(true);
    const { streams, chapters, format } = show(build, output);
    const of = (type: string) => streams.filter(({ codec_type }) => codec_type === type);
    expect(of('audio').map(({ tags, disposition }) => [tags?.language, disposition.default])).toEqual([
      ['eng', 0],
      ['fra', 1],
    ]);
    expect(of('subtitle').map(({ codec_name, tags }) => [codec_name, tags?.language])).toEqual([[text, 'ger']]);
    expect(chapters.map(({ start_time, tags }) => [Number(start_time).toFixed(1), tags.title])).toEqual([
      ['0.0', 'One'],
      ['0.5', 'Two'],
    ]);
    expect(format.tags?.title).toBe('Coast');
    expect(packetHashes(build, output)).toEqual(packetHashes(build, source));
  });

  it.each(
    some([
      ['h265', 'mp4', 'hevc'],
      ['vp9', 'mp4', 'vp9'],
      ['vp9', 'mkv', 'vp9'],
    ]),
  )(
    'in %s and .%s shows the frames at their times, and spends more on a better quality',
    async (codec, ending, shown) => {
      const sizes = await Promise.all(
        (['small', 'best'] as const).map(async (quality) => {
          const output = out(`${codec}-${quality}.${ending}`);
          const { comparison } = await checkedRoundTrip(build, aac, output, { codec, quality });
          expect(comparison.problems).toEqual([]);
          expect((await build.media.probe(output)).codec).toBe(shown);
          return statSync(output).size;
        }),
      );
      expect(sizes[1]).toBeGreaterThan((sizes[0] ?? 0) + 500);
    },
  );

  it('in FFV1 keeps every value of every frame', async () => {
    const output = out('lossless.mkv');
    const { comparison } = await checkedRoundTrip(build, aac, output, { codec: 'ffv1' });
    expect(comparison.problems).toEqual([]);
    const pixels = async (file: string) => {
      const { frames } = await splitWhole(build.media, file);
      return Buffer.concat(frames.map(rgbOf));
    };
    expect((await pixels(output)).equals(await pixels(aac))).toBe(true);
  });

  it.skipIf(!hasSharedData)(
    'keeps both sound tracks and both subtitles of the first seconds of tc_nasa_13013.mp4',
    async () => {
      const source = out('nasa-start.mp4');
      const first = ['-i', sharedData('videos', 'tc_nasa_13013.mp4'), '-t', '2', '-map', '0', '-c', 'copy'];
      execFileSync(build.tools.ffmpeg, ['-loglevel', 'error', '-y', ...first, source]);
      const output = out('nasa.mp4');
      const { comparison } = await checkedRoundTrip(build, source, output);
      expect(comparison.problems).toEqual([]);
      const kinds = show(build, output).streams.map(({ codec_type }) => codec_type);
      expect(kinds.toSorted()).toEqual(['audio', 'audio', 'subtitle', 'subtitle', 'video']);
    },
  );
});
