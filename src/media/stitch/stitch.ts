import { rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { JobError } from '../../job/failure.js';
import { ENDINGS, type Quality, type VideoCodec } from '../../job/output.js';
import { local } from '../ffmpeg/arguments.js';
import { containerOf } from './container.js';
import type { PixelFormat } from './encoders.js';
import type { FrameFormat, VideoFacts } from '../facts.js';
import { ffmpegFailure } from '../ffmpeg/failure.js';
import { start, type Program } from '../ffmpeg/process.js';
import { matroska } from './matroska.js';
import { setDurations } from './mp4-durations.js';
import { encodeArguments } from './stitch-arguments.js';
import { constantMicroseconds, endOf, microseconds, secondsOf, type Timetable } from '../timetable.js';

export interface StitchRequest {
  /** Pictures of one size, all of `format`, in order. */
  frames: AsyncIterable<Buffer>;
  format: FrameFormat;
  /** The video that the frames came from: its sound and its tags are copied. */
  source: string;
  /** What `probe` found in `source`. */
  facts: VideoFacts;
  /** When each frame is shown; the source's average rate when left out. */
  timetable?: Timetable;
  /** Ends in .mp4, .m4v, .mov, .mkv or .webm; replaced when it exists, and only once the new file is whole. */
  output: string;
  /** `yuv420p` (default) plays everywhere but halves the resolution of colour; `yuv444p` keeps it and plays on computers. */
  pixelFormat?: PixelFormat;
  /** `h264` when left out; `ffv1` keeps every value of the frames and needs .mkv. */
  codec?: VideoCodec;
  /** `good` when left out; without effect on `ffv1`. */
  quality?: Quality;
  signal?: AbortSignal;
}

/** Frames to encode, whatever happens to them then. */
export type EncodeRequest = Omit<StitchRequest, 'source'>;

/**
 * Writes the frames, each at its own time, with all its audio streams copied untouched, its subtitles, chapters and metadata as far as the container holds them, and the same offset between
 * picture and sound. An odd width or height, which H.264 4:2:0 cannot hold, grows by one: the last column or row is repeated.
 * @throws JobError `user` when ffmpeg cannot write the output or loses a frame, whatever `frames` throws, the signal's reason after an abort.
 */
export async function stitch(ffmpeg: Program, request: StitchRequest): Promise<void> {
  const { output } = request;
  const container = containerOf(output);
  const name = path.basename(output);
  if (!container) throw new JobError('user', `${name} must end in ${ENDINGS.join(', ')}.`);
  await writeWhole(output, async (part) => {
    const frames = await encode(ffmpeg, request, encodeArguments(request, container), part);
    if (container.muxer === 'mp4' || container.muxer === 'mov') await setDurations(part, shownFrom(request, frames));
  });
}

/** Has a file written under another name first, so that it is there whole or not at all. */
export async function writeWhole(output: string, write: (part: string) => Promise<void>): Promise<void> {
  const part = `${output}.part`;
  try {
    await write(part);
    await rename(part, output);
  } finally {
    await rm(part, { force: true });
  }
}

/** When the first frame is shown, when the last one, and until when, in seconds after the start of the source. */
export function shownFrom({ timetable, facts }: Pick<StitchRequest, 'timetable' | 'facts'>, frames: number) {
  if (!timetable) {
    const [frame, first] = [facts.frameRate.den / facts.frameRate.num, facts.startTime];
    return { first, last: first + (frames - 1) * frame, end: first + frames * frame };
  }
  const seconds = (ticks = 0) => secondsOf(timetable.timeBase, ticks);
  const [first, last] = [seconds(timetable.times[0]), seconds(timetable.times.at(-1))];
  return { first, last, end: endOf(timetable) };
}

/** Encodes all frames, or throws; gives their number. */
export async function encode(
  ffmpeg: Program,
  request: EncodeRequest,
  options: string[],
  part: string,
): Promise<number> {
  const { output, signal, timetable } = request;
  const name = path.basename(output);
  const running = start(ffmpeg, [...options, ...target(ffmpeg, part)], signal);
  try {
    const written = countWritten(running.stdout);
    const given = await feed(running.stdin, request);
    const end = await running.ended;
    signal?.throwIfAborted();
    if (given === 0) throw new JobError('user', `There is no frame to write to ${name}.`);
    if (end.code === 0) await checkSize(ffmpeg, part, name);
    if (end.code !== 0 || given === null) throw ffmpegFailure(ffmpeg, end, `write ${name}`);
    if (timetable && given !== timetable.times.length)
      throw new JobError('user', `${name} got ${given} of its ${timetable.times.length} frames.`);
    if (written() !== given) throw new JobError('user', `ffmpeg wrote ${written()} of ${given} frames to ${name}.`);
    return given;
  } finally {
    running.kill();
    await running.ended;
  }
}

/** Where ffmpeg writes, and how much at most. */
export const target = ({ limits }: Program, part: string) => ['-fs', String(limits.outputBytes), local(part)];

/** @throws JobError `user` when ffmpeg stopped writing because the file grew too large: it says nothing then. */
export async function checkSize({ limits }: Program, file: string, name: string): Promise<void> {
  const { size } = await stat(file);
  if (size >= limits.outputBytes)
    throw new JobError(
      'user',
      `${name} is larger than ${limits.outputBytes} bytes; lower its quality or raise MOST_OUTPUT_BYTES.`,
    );
}

/** Gives the frames to ffmpeg as fast as it takes them. Null when ffmpeg ended before the last one: how it ended says why. */
async function feed(stdin: Writable, request: EncodeRequest): Promise<number | null> {
  const { format, facts, timetable } = request;
  const times = timetable ? microseconds(timetable) : constantMicroseconds(facts.frameRate);
  const frameSeconds = timetable
    ? secondsOf(timetable.timeBase, timetable.frameTicks)
    : facts.frameRate.den / facts.frameRate.num;
  let given = 0;
  let sourceFailed = false;
  async function* counted() {
    try {
      for await (const frame of request.frames) {
        given += 1;
        yield frame;
      }
    } catch (error) {
      sourceFailed = true;
      throw error;
    }
  }
  try {
    await pipeline(matroska(counted(), format, times, { ...facts, frameSeconds }), stdin);
    return given;
  } catch (error) {
    if (sourceFailed) throw error;
    return null;
  }
}

/** The number of frames that ffmpeg last reported as written. */
function countWritten(progress: Readable): () => number {
  let tail = '';
  progress.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-4096);
  });
  return () => Number(/.*^frame=\s*(\d+)$/ms.exec(tail)?.[1] ?? 0);
}
