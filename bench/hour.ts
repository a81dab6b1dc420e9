/**
 * Splits and stitches an hour of a tiny video with sound, a rate that varies and B-frames, in chunks and as a whole, and compares every
 * frame's time and every sound packet. Run it with `npx tsx bench/hour.ts`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createMedia, findFfmpeg, partOf, type RawTimes, wholeTimetable } from '../src/media/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'hour-'));
const [tools, format] = [findFfmpeg({}, process.env.PATH ?? ''), 'jpg'] as const;
const media = createMedia(tools);
const [source, output] = ['source.mp4', 'output.mp4'].map((name) => path.join(folder, name)) as [string, string];
const PER_CHUNK = 9000;

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work();
  console.log(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  return result;
}

try {
  const picture = '-f lavfi -i testsrc2=size=16x16:rate=10:duration=3600 -f lavfi -i sine=duration=3600';
  const uneven = ['-vsync', '0', '-vf', "setpts='PTS+0.013*mod(N,3)/TB'", '-enc_time_base', '1:90000'];
  const encode = '-c:v libx264 -preset ultrafast -bf 2 -g 100 -pix_fmt yuv420p -c:a aac -b:a 32k';
  const options = [...picture.split(' '), ...uneven, ...encode.split(' ')];
  await timed('make', async () => void execFileSync(tools.ffmpeg, ['-loglevel', 'error', ...options, source]));
  const facts = await timed('probe', () => media.probe(source));
  const chunks = await media.findChunks(source, facts, PER_CHUNK);
  const times: RawTimes = [];
  const frames: Buffer[] = [];
  const split = async () => {
    for (const chunk of chunks) {
      const request = {
        file: source,
        name: 'source',
        facts,
        format,
        chunk,
        onTimes: (raw: RawTimes) => times.push(...raw),
      };
      for await (const frame of media.splitChunk(request)) frames.push(frame);
    }
  };
  await timed(`split ${chunks.length} chunks`, split);
  const timetable = wholeTimetable(times, facts);
  async function* range(first: number, count: number) {
    yield* frames.slice(first, first + count);
  }
  const { others } = await media.rehearse({ source, facts, output, codec: 'h264' });
  const segments: { file: string; first: number }[] = [];
  const stitch = async () => {
    for (let first = 0; first < frames.length; first += PER_CHUNK) {
      const part = partOf(timetable, { first, count: PER_CHUNK });
      const file = path.join(folder, `${first}.mov`);
      const some = range(first, PER_CHUNK);
      await media.encodeSegment({ frames: some, format, facts, timetable: part, output: file, codec: 'h264' });
      segments.push({ file, first: part.times[0] ?? 0 });
    }
    await media.join({ segments, timetable, source, facts, others, output, codec: 'h264' });
  };
  await timed('encode and join', stitch);
  const report = async () =>
    console.log(JSON.stringify(await media.compare({ source, facts, timetable, output, others }), null, 1));
  await timed('compare', report);
  await timed('stitch as a whole', () =>
    media.stitch({ frames: range(0, frames.length), format, source, facts, timetable, others, output, codec: 'h264' }),
  );
  await report();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
