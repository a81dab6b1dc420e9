import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Chunk, partOf, type RawTimes, wholeTimetable } from '../../../src/media/media.js';
import { builds, collect, framesOf, isIndexed, packetHashes, some, splitWhole } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'chunks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pictures = ['-f', 'lavfi', '-i', 'testsrc2=size=64x48:rate=30:duration=3'];
const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=3'];
const UNEVEN = ['-vsync', '0', '-vf', "setpts='(N+floor(N/3)*2)/30/TB+0.0037*mod(N,2)/TB'"];
const x264 = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-g', '12', '-bf', '3', '-c:a', 'aac'];
const openGop = ['-x264-params', 'open-gop=1:bframes=3:b-adapt=0:keyint=12:scenecut=0'];

/** Clips that are hard to cut, as ffmpeg options. */
const clips: [name: string, file: string, options: string[]][] = [
  ['B-frames across open groups of pictures', 'open.mp4', [...pictures, ...tone, ...x264, ...openGop]],
  ['a rate that varies', 'uneven.mp4', [...pictures, ...tone, ...UNEVEN, ...x264]],
  ['a late first frame in Matroska', 'late.mkv', [...pictures, ...tone, ...x264, '-vf', "setpts='PTS+0.37/TB'"]],
  ['interlaced fields', 'fields.mp4', [...pictures, ...x264, '-vf', 'tinterlace=4', '-flags', '+ilme+ildct']],
];

const hash = (frame: Buffer) => createHash('md5').update(frame).digest('hex');

describe.each(builds)('in chunks, with ffmpeg from $name,', (build) => {
  const { media } = build;
  const out = (file: string) => path.join(folder, `${path.basename(build.name)}-${file}`);
  const make = (file: string, options: string[]) => {
    execFileSync(build.tools.ffmpeg, ['-loglevel', 'error', '-y', ...options, out(file)]);
    return out(file);
  };

  const made: ReturnType<typeof splitUneven>[] = [];
  const uneven = () => (made[0] ??= splitUneven());
  async function splitUneven() {
    const source = make('source.mp4', [...pictures, ...tone, ...UNEVEN, ...x264]);
    const whole = await splitWhole(media, source);
    // The last picture is held for a second.
    const { den, num } = whole.timetable.timeBase;
    return { ...whole, source, timetable: { ...whole.timetable, lastTicks: den / num } };
  }

  it.each(some(clips, 2))('%s: every frame is split once, the same, at the same time', async (_, file, options) => {
    const source = make(file, options);
    const { facts, frames, timetable } = await splitWhole(media, source);
    // Chunks of whole packs begin and end between key frames.
    for (const [most, pack] of [
      [20, 1],
      [21, 7],
    ] as const) {
      const chunks = await media.findChunks(source, facts, most, pack);
      expect(chunks.length).toBeGreaterThan(2);
      const [found, times]: [string[], RawTimes] = [[], []];
      for (const chunk of chunks) {
        const request = { file: source, name: file, facts, format: 'ppm' as const, chunk };
        const part = await collect(media.splitChunk({ ...request, onTimes: (raw) => times.push(...raw) }));
        expect(part).toHaveLength(chunk.count);
        expect(found).toHaveLength(chunk.first);
        expect(chunk.first % pack).toBe(0);
        found.push(...part.map(hash));
      }
      expect(found).toEqual(frames.map(hash));
      expect(wholeTimetable(times, facts)).toEqual(timetable);
    }
  });

  it.each(
    some(
      [
        ['ffv1', 'mkv'],
        ['h264', 'mp4'],
        ['h264', 'mov'],
        ['h264', 'mkv'],
        ['h265', 'mp4'],
        ['vp9', 'mp4'],
      ],
      2,
    ),
  )('an uneven video is encoded in %s and joined to .%s', async (codec, ending) => {
    const { source, facts, frames, timetable } = await uneven();
    const segments: { file: string; first: number }[] = [];
    for (const [first, count] of [
      [0, 33],
      [33, 33],
      [66, 24],
    ] as const) {
      const part = partOf(timetable, { first, count });
      const file = out(`${codec}-${first}.mov`);
      const pieces = framesOf(frames.slice(first, first + count));
      await media.encodeSegment({ frames: pieces, format: 'ppm', facts, timetable: part, output: file, codec });
      segments.push({ file, first: part.times[0] ?? 0 });
    }
    const output = out(`joined-${codec}.${ending}`);
    const { others } = await media.rehearse({ source, facts, output, codec });
    await media.join({ segments, timetable, source, facts, others, output, codec });
    const { problems, largestTimeError } = await media.compare({ source, facts, timetable, output, others });
    expect(problems).toEqual([]);
    expect(largestTimeError).toBeLessThan(ending === 'mkv' ? 0.001_001 : 0.000_001);
    expect(packetHashes(build, output)).toEqual(packetHashes(build, source));
    expect(isIndexed(output)).toBe(true);
    const { frames: again } = await splitWhole(media, output);
    expect(again).toHaveLength(frames.length);
    if (codec === 'ffv1') expect(again.map(hash)).toEqual(frames.map(hash));
  });

  it('a video without a second key frame, and a transport stream, stay whole', async () => {
    const one = make('one.mp4', [...pictures, '-c:v', 'libx264', '-g', '300', '-sc_threshold', '0']);
    expect(await media.findChunks(one, await media.probe(one), 20)).toEqual<Chunk[]>([]);
    const facts = { ...(await media.probe(one)), container: 'mpegts' };
    expect(await media.findChunks(one, facts, 20)).toEqual<Chunk[]>([]);
  });
});
