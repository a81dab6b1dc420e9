import type { FrameRange } from '../job/plan.js';
import { type Rational, rounded, type VideoFacts } from './facts.js';

/** When each frame is shown. */
export interface Timetable {
  /** Seconds per tick. */
  timeBase: Rational;
  /** Ticks after the earliest stream of the source starts, always growing. */
  times: number[];
  /** Ticks that an ordinary frame is shown for. */
  frameTicks: number;
  /** Ticks that the last frame is shown for. */
  lastTicks: number;
  /** Frames whose own time could not be used. */
  repaired: number;
  /** Present when the source breaks behind the last frame: its sound goes on no longer than that. */
  broken?: boolean;
}

/** The ticks of frames as the decoder gives them; null where it knows none. */
export type RawTimes = (number | null)[];

/** A timetable in few bytes: at a constant rate one step says it all. */
export interface PackedTimetable extends Omit<Timetable, 'times'> {
  /** Time of the first frame. */
  first: number;
  /** Runs of equal distances between frames: how many, and how many ticks each. */
  steps: [count: number, ticks: number][];
}

/** Seconds per tick of a timetable: the source's own tick, or a microsecond where that is coarser, because ffmpeg's clock is no finer. */
export function tickOf({ timeBase }: Pick<VideoFacts, 'timeBase'>): Rational {
  return timeBase.num / timeBase.den < 1e-6 ? { num: 1, den: 1_000_000 } : timeBase;
}

export const secondsOf = ({ num, den }: Rational, ticks: number) => (ticks * num) / den;

/** When a frame is shown, in seconds after the earliest stream of the source starts, to the microsecond. */
export const timeOf = ({ timeBase, times }: Timetable, index: number) =>
  rounded(secondsOf(timeBase, times[index] ?? NaN));

/** When the last frame stops being shown, in seconds after the earliest stream of the source starts. */
export const endOf = ({ timeBase, times, lastTicks }: Timetable) =>
  secondsOf(timeBase, (times.at(-1) ?? 0) + lastTicks);

/**
 * Containers in which ffmpeg counts times from the first of the streams in use, not from the earliest stream of the file: a picture that
 * starts after the sound would lose its delay (correct_input_start_times in ffmpeg.c, for demuxers with AVFMT_TS_DISCONT).
 */
export const restarts = (container: string) => /^(mpegts|mpeg|ogg)$/.test(container);

/** The timetable of all frames of a file; of those before its break if it is `broken`. */
export function wholeTimetable(times: RawTimes, facts: VideoFacts, broken = false): Timetable {
  const restarted = restarts(facts.container);
  // A stream of one packet has no start that ffmpeg knows, so it does not count from it.
  const own = restarted && facts.framesEstimate === 1 ? times.map(() => 0) : times;
  const offset = restarted ? facts.startTime : 0;
  if (!broken) return timetableOf(own, facts, offset);
  return { ...timetableOf(own, { ...facts, lastSeconds: 0 }, offset), broken };
}

/**
 * Makes a timetable from the times that the decoder gave. A frame that has no time, or one not later than the frame before it, cannot be
 * shown then. Such frames are spread evenly up to the next later frame; when there is none, they follow at the ordinary distance.
 * @param offset seconds to add to every time
 */
export function timetableOf(
  raw: RawTimes,
  facts: Pick<VideoFacts, 'timeBase' | 'frameRate' | 'lastSeconds'>,
  offset = 0,
): Timetable {
  const timeBase = tickOf(facts);
  const frameTicks = Math.max(
    1,
    Math.round((facts.frameRate.den * timeBase.den) / (facts.frameRate.num * timeBase.num)),
  );
  const times: number[] = [];
  const nextAfter = laterTimes(raw);
  let repaired = 0;
  for (let index = 0; index < raw.length; index += 1) {
    const last = times.at(-1) ?? -frameTicks;
    const own = raw[index];
    const good = own !== null && own !== undefined && (index === 0 || own > last);
    times.push(good ? own : last + stepTo(nextAfter(index, last), last, frameTicks));
    if (!good) repaired += 1;
  }
  const inTicks = (seconds: number) => Math.round((seconds * timeBase.den) / timeBase.num);
  const ticks = inTicks(offset);
  const moved = times.map((time) => time + ticks);
  return { timeBase, times: moved, frameTicks, lastTicks: inTicks(facts.lastSeconds) || frameTicks, repaired };
}

/** The timetable of frames of one rate, of which the first is shown at the start of the sound. */
export function constantTimetable(frames: number, { num, den }: Rational): Timetable {
  const times = Array.from({ length: frames }, (_, index) => index * den);
  return { timeBase: { num: 1, den: num }, times, frameTicks: den, lastTicks: den, repaired: 0 };
}

/** Finds the next frame behind `index` that is later than `last`. Both only grow from call to call, so each time is looked at once. */
function laterTimes(raw: RawTimes) {
  let at = 0;
  return (index: number, last: number) => {
    for (; at < raw.length; at += 1) {
      const time = raw[at];
      if (at > index && time !== null && time !== undefined && time > last) return { time, frames: at - index + 1 };
    }
    return undefined;
  };
}

function stepTo(next: { time: number; frames: number } | undefined, last: number, frameTicks: number): number {
  const step = next ? (next.time - last) / next.frames : frameTicks;
  return Math.max(1, Math.round(Math.min(step, frameTicks)));
}

export function pack({ times, ...rest }: Timetable): PackedTimetable {
  const steps: [number, number][] = [];
  for (let index = 1; index < times.length; index += 1) {
    const ticks = (times[index] ?? 0) - (times[index - 1] ?? 0);
    const run = steps.at(-1);
    if (run?.[1] === ticks) run[0] += 1;
    else steps.push([1, ticks]);
  }
  return { ...rest, first: times[0] ?? 0, steps };
}

export function unpack({ first, steps, ...rest }: PackedTimetable): Timetable {
  const times = [first];
  let time = first;
  for (const [count, ticks] of steps)
    for (let k = 0; k < count; k += 1) {
      time += ticks;
      times.push(time);
    }
  return { ...rest, times };
}

/** The timetable of a range of frames. */
export function partOf(timetable: Timetable, { first, count }: FrameRange): Timetable {
  const times = timetable.times.slice(first, first + count);
  const next = timetable.times[first + count];
  const lastTicks = next === undefined ? timetable.lastTicks : next - (times.at(-1) ?? next);
  return { ...timetable, times, lastTicks };
}

/** Microseconds from the first frame, for each frame. */
export function* microseconds({ times, timeBase }: Timetable): Generator<number> {
  for (const time of times) yield Math.round(secondsOf(timeBase, time - (times[0] ?? 0)) * 1e6);
}
