import { JobError } from '../../job/failure.js';
import { local, QUIET, restarts, UNTRUSTED, words } from '../ffmpeg/arguments.js';
import type { Chunk } from './chunks.js';
import type { FrameFormat, VideoFacts } from '../facts.js';
import { ffmpegFailure, lastWord } from '../ffmpeg/failure.js';
import { cutFrames } from './frame-cutter.js';
import { start, type Program } from '../ffmpeg/process.js';
import { createTimeReader, type RawTimes, tickOf, timetableOf, type Timetable } from '../timetable.js';
import { toRgb } from './to-rgb.js';

export interface SplitRequest {
  file: string;
  /** What messages call the file. */
  name: string;
  facts: VideoFacts;
  format: FrameFormat;
  /** Whether a file that breaks half-way gives the frames before the break; else it gives an error behind them. */
  keep?: boolean;
  /** Called once, after the last frame. */
  onTimetable?: (timetable: Timetable) => void;
  signal?: AbortSignal;
}

export interface SplitChunkRequest extends Omit<SplitRequest, 'onTimetable'> {
  chunk: Chunk;
  /** Called once, after the last frame, with what `timetableOf` takes. */
  onTimes: (times: RawTimes) => void;
}

/**
 * Every decoded frame once, in the order of presentation, upright. ffmpeg waits while the consumer is busy, and is killed when the
 * consumer stops early or the signal aborts.
 * The times come from the decoder, not from the packets, so that there is one for each frame that comes out.
 * @throws JobError `user` when the video cannot be decoded; the signal's reason after an abort.
 */
export async function* split(ffmpeg: Program, request: SplitRequest): AsyncGenerator<Buffer> {
  const { facts, onTimetable } = request;
  yield* decode(ffmpeg, request, [], '', (times, broken) => onTimetable?.(wholeTimetable(times, facts, broken)));
}

/** The same for a part of the video: its frames are those that the whole would give between the two times. */
export async function* splitChunk(ffmpeg: Program, request: SplitChunkRequest): AsyncGenerator<Buffer> {
  const { from, to, seek } = request.chunk;
  // The clock of the whole file also after a jump.
  const jump = seek === null ? [] : ['-noaccurate_seek', '-ss', seek.toFixed(6)];
  const bounds = [
    ...(from === null ? [] : [`start=${from.toFixed(6)}`]),
    ...(to === null ? [] : [`end=${to.toFixed(6)}`]),
  ];
  yield* decode(
    ffmpeg,
    request,
    [...words('-copyts -start_at_zero'), ...jump],
    `trim=${bounds.join(':')},`,
    request.onTimes,
  );
}

/** The timetable of all frames of a file, or of those before its break. */
export function wholeTimetable(times: RawTimes, facts: VideoFacts, broken = false): Timetable {
  const offset = restarts(facts.container) ? facts.startTime : 0;
  if (!broken) return timetableOf(times, facts, offset);
  return { ...timetableOf(times, { ...facts, lastSeconds: 0 }, offset), broken };
}

async function* decode(
  ffmpeg: Program,
  { file, name, facts, format, keep = false, signal }: Omit<SplitRequest, 'onTimetable'>,
  jump: string[],
  trim: string,
  onTimes: (times: RawTimes, broken: boolean) => void,
): AsyncGenerator<Buffer> {
  // Pictures may grow within a stream, behind what its header says.
  const pixels = ['-max_pixels', String(ffmpeg.limits.pixels)];
  const input = [...jump, ...UNTRUSTED, ...pixels, '-i', local(file), '-map', `0:${facts.streamIndex}`];
  // -vsync 0 also where -fps_mode exists: the npm build does not know the new word, and ffmpeg 5 to 7 still take the old one.
  // Counted, not timed: encoders refuse a picture whose time is not later than the last one's.
  const counted = ['-vsync', '0', '-vf', `${toRgb(facts, format, trim)},settb=1/1000,setpts=N`];
  const output = [...counted, ...words('-enc_time_base 1:1000'), ...encoder(format), '-f', 'image2pipe', 'pipe:1'];
  const clock = createTimeReader();
  // -xerror: ffmpeg would otherwise guess what a damaged frame looks like.
  const args = [...QUIET, '-nostdin', '-xerror', ...input, ...output, ...timesOutput(facts, trim)];
  const running = start(ffmpeg, args, signal, clock.read);
  running.stdin.end();
  try {
    let given = 0;
    for await (const frame of cutFrames(running.stdout, format, keep)) {
      given += 1;
      if (given > ffmpeg.limits.frames)
        throw new JobError(
          'user',
          `${name} has more than ${ffmpeg.limits.frames} frames; cut it or raise MOST_FRAMES.`,
        );
      yield frame;
    }
    const end = await running.ended;
    const broken = facts.damaged || end.code !== 0;
    if (end.code !== 0 && (given === 0 || end.code === null))
      throw ffmpegFailure(ffmpeg, end, `split ${name} into frames`);
    if (broken && !keep) throw brokenBehind(name, given, end.stderr);
    onTimes(clock.times.slice(0, given), broken);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    running.kill();
    await running.ended;
  }
}

const brokenBehind = (name: string, frames: number, stderr: string) =>
  new JobError(
    'user',
    `${name} is damaged behind its first ${frames === 1 ? 'frame' : `${frames} frames`} (${lastWord(stderr)}); export it again, or set "input.onDamage" to "keep" for these.`,
  );

/** A second output that holds next to nothing but the time of each frame, in the source's own ticks. */
function timesOutput(facts: VideoFacts, trim: string): string[] {
  const { num, den } = tickOf(facts);
  const tiny = `${trim}settb=${num}/${den},scale=16:16:flags=neighbor,format=gray`;
  const raw = ['-enc_time_base', `${num}:${den}`, '-c:v', 'rawvideo'];
  return ['-map', `0:${facts.streamIndex}`, '-vsync', '0', '-vf', tiny, ...raw, '-f', 'framecrc', 'pipe:3'];
}

/** The cheapest deflate behind the predictor that suits it. */
export const pngOptions = words('-c:v png -compression_level 1 -pred up');

/** PNG for speed, JPEG at its best. */
const encoder = (format: FrameFormat) => (format === 'png' ? pngOptions : words('-c:v mjpeg -q:v 2'));
