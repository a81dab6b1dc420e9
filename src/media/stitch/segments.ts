import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { JobError } from '../../job/failure.js';
import { ENDINGS, type VideoCodec } from '../../job/output.js';
import { containerOf } from './container.js';
import { ffmpegFailure } from '../ffmpeg/failure.js';
import { setDurations } from './mp4-durations.js';
import { run, type Program } from '../ffmpeg/process.js';
import { checkSize, encode, type EncodeRequest, shownFrom, type StitchRequest, target, writeWhole } from './stitch.js';
import { joinArguments, segmentArguments } from './stitch-arguments.js';
import { secondsOf, type Timetable } from '../timetable.js';

/** Both keep the source's ticks exactly; only one holds FFV1, only the other VP9. */
const muxerFor = (codec: VideoCodec | undefined) => (codec === 'vp9' ? 'mp4' : 'mov');

export interface SegmentRequest extends EncodeRequest {
  /** Of this part only. */
  timetable: Timetable;
}

export interface JoinRequest extends Pick<StitchRequest, 'source' | 'facts' | 'output' | 'signal'> {
  /** What `encodeSegment` wrote, in order, and when the first frame of each is shown, in ticks of the timetable. */
  segments: { file: string; first: number }[];
  /** Of the whole video. */
  timetable: Timetable;
  codec: VideoCodec;
}

/**
 * Encodes a part of the frames, from a key frame on, for `join` to put together.
 * @throws JobError `user` like `stitch`
 */
export async function encodeSegment(ffmpeg: Program, request: SegmentRequest): Promise<void> {
  const { timetable, output } = request;
  await writeWhole(output, async (part) => {
    const frames = await encode(ffmpeg, request, segmentArguments(request, muxerFor(request.codec)), part);
    const { first, last, end } = shownFrom({ ...request, timetable }, frames);
    await setDurations(part, { first: 0, last: last - first, end: end - first });
  });
}

/**
 * Puts the parts one behind another without encoding them again, and adds all that `stitch` takes from the source.
 * @throws JobError `user` when ffmpeg cannot write the output
 */
export async function join(ffmpeg: Program, request: JoinRequest): Promise<void> {
  const { output, facts, timetable, signal } = request;
  const container = containerOf(output);
  const name = path.basename(output);
  if (!container) throw new JobError('user', `${name} must end in ${ENDINGS.join(', ')}.`);
  const list = `${output}.txt`;
  try {
    await writeFile(list, listOf(request));
    await writeWhole(output, async (part) => {
      const options = [...joinArguments(request, container, list), ...target(ffmpeg, part)];
      const end = await run(ffmpeg, options, signal);
      if (end.code !== 0) throw ffmpegFailure(ffmpeg, end, `write ${name}`);
      await checkSize(ffmpeg, part, name);
      if (container.muxer === 'mp4' || container.muxer === 'mov')
        await setDurations(part, shownFrom({ facts, timetable }, timetable.times.length));
    });
  } finally {
    await rm(list, { force: true });
  }
}

/** A script of ffmpeg's concat reader. It adds up the lengths, so each is the difference of two rounded times. */
function listOf({ segments, timetable }: JoinRequest): string {
  const micros = (ticks: number) => Math.round(secondsOf(timetable.timeBase, ticks) * 1e6);
  const ends = [...segments.slice(1).map(({ first }) => first), (timetable.times.at(-1) ?? 0) + timetable.lastTicks];
  const lines = segments.flatMap(({ file, first }, index) => [
    `file '${file.replaceAll("'", String.raw`'\''`)}'`,
    `duration ${((micros(ends[index] ?? first) - micros(first)) / 1e6).toFixed(6)}`,
  ]);
  return ['ffconcat version 1.0', ...lines, ''].join('\n');
}
