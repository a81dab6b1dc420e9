import { local, QUIET, restarts, UNTRUSTED } from './arguments.js';
import type { FrameFormat, VideoFacts } from './facts.js';
import { ffmpegFailure } from './failure.js';
import { cutFrames } from './frame-cutter.js';
import { start } from './process.js';
import { createTimeReader, tickOf, timetableOf, type Timetable } from './timetable.js';
import { toRgb } from './to-rgb.js';

export interface SplitRequest {
  file: string;
  /** What messages call the file. */
  name: string;
  facts: VideoFacts;
  format: FrameFormat;
  /** Called once, after the last frame. */
  onTimetable?: (timetable: Timetable) => void;
  signal?: AbortSignal;
}

/**
 * Every decoded frame once, in the order of presentation, upright. ffmpeg waits while the consumer is busy, and is killed when the
 * consumer stops early or the signal aborts.
 * The times come from the decoder, not from the packets, so that there is one for each frame that comes out.
 * @throws JobError `user` when the video cannot be decoded; the signal's reason after an abort.
 */
export async function* split(ffmpeg: string, request: SplitRequest): AsyncGenerator<Buffer> {
  const { file, name, facts, format, signal, onTimetable } = request;
  const input = [...UNTRUSTED, '-i', local(file), '-map', `0:${facts.streamIndex}`];
  // -vsync 0 also where -fps_mode exists: the npm build does not know the new word, and ffmpeg 5 to 7 still take the old one.
  const output = ['-vsync', '0', '-vf', toRgb(facts, format), ...encoder(format), '-f', 'image2pipe', 'pipe:1'];
  const clock = createTimeReader();
  const args = [...QUIET, '-nostdin', ...input, ...output, ...timesOutput(facts)];
  const running = start(ffmpeg, args, signal, clock.read);
  running.stdin.end();
  try {
    yield* cutFrames(running.stdout, format);
    const end = await running.ended;
    if (end.code !== 0) throw ffmpegFailure(ffmpeg, end, `split ${name} into frames`);
    const moved = restarts(facts.container) ? facts.startTime : 0;
    onTimetable?.(timetableOf(clock.times, facts, moved));
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    running.kill();
    await running.ended;
  }
}

/** A second output that holds next to nothing but the time of each frame, in the source's own ticks. */
function timesOutput(facts: VideoFacts): string[] {
  const { num, den } = tickOf(facts);
  const tiny = `settb=${num}/${den},scale=16:16:flags=neighbor,format=gray`;
  const raw = ['-enc_time_base', `${num}:${den}`, '-c:v', 'rawvideo'];
  return ['-map', `0:${facts.streamIndex}`, '-vsync', '0', '-vf', tiny, ...raw, '-f', 'framecrc', 'pipe:3'];
}

/** PNG for speed: the cheapest deflate behind the predictor that suits it; JPEG at its best. */
function encoder(format: FrameFormat): string[] {
  if (format === 'jpg') return ['-c:v', 'mjpeg', '-q:v', '2'];
  return ['-c:v', 'png', '-compression_level', '1', '-pred', 'up'];
}
