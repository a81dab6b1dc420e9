import { counted } from '../../job/counted.js';
import { rounded, type VideoFacts } from '../facts.js';
import { packets } from './packets.js';
import type { Program, Tools } from '../ffmpeg/process.js';
import { compareSound, readSound, type SoundComparison } from './sound.js';
import { endOf, secondsOf, type Timetable } from '../timetable.js';

/** What the output has, beside what it should have. */
export interface Comparison {
  frames: { expected: number; found: number; repairedTimes: number };
  /** Whether the source breaks behind these frames. */
  brokenSource: boolean;
  /** From the start of the first frame to the end of the last, or its start where the output does not say how long it is shown. */
  seconds: { expected: number; found: number };
  /** Seconds between the time of a frame and the time it should have, at most. */
  largestTimeError: number;
  /** Sound track by sound track. */
  sound: SoundComparison[];
  /** What is not as it should be, one sentence each; none in a file that counts as done. */
  problems: string[];
}

export interface CompareRequest {
  source: string;
  facts: VideoFacts;
  timetable: Timetable;
  output: string;
  signal?: AbortSignal;
}

/** Matroska rounds times to its millisecond, and the time of a source in it was rounded already. */
const TIME_TOLERANCE = 0.001_001;

/**
 * Reads the output back, without decoding, and compares each frame's time and each sound packet with what they should be.
 * @throws JobError `user` when either file cannot be read.
 */
export async function compare(tools: Tools, request: CompareRequest): Promise<Comparison> {
  const { source, output, facts, timetable, signal } = request;
  const { ffprobe } = tools;
  const end = timetable.broken ? endOf(timetable) + facts.fileStart : Infinity;
  const silence = facts.audioStreams === 0 ? Promise.resolve([]) : undefined;
  const reading = [
    silence ?? readSound(ffprobe, source, signal, end),
    silence ?? readSound(ffprobe, output, signal),
    readTimes(ffprobe, output, signal),
  ] as const;
  // All are waited for whatever happens, so that no ffprobe is left behind.
  await Promise.allSettled(reading);
  const [before, after, times] = await Promise.all(reading);
  const expected = timetable.times.map((ticks) => secondsOf(timetable.timeBase, ticks));
  const errors = expected.map((time, index) => Math.abs(time - (times.shown[index] ?? Infinity)));
  const comparison: Comparison = {
    frames: { expected: expected.length, found: times.shown.length, repairedTimes: timetable.repaired },
    brokenSource: timetable.broken === true,
    seconds: {
      expected: rounded(
        (expected.at(-1) ?? 0) - (expected[0] ?? 0) + secondsOf(timetable.timeBase, timetable.lastTicks),
      ),
      found: rounded((times.shown.at(-1) ?? 0) - (times.shown[0] ?? 0) + times.lastSeconds),
    },
    largestTimeError: rounded(errors.reduce((most, error) => Math.max(most, error), 0)),
    sound: await compareSound(tools, request, before, after),
    problems: [],
  };
  return { ...comparison, problems: problemsOf(comparison, facts) };
}

function problemsOf({ frames, seconds, largestTimeError, sound }: Comparison, { frameRate }: VideoFacts): string[] {
  const frame = frameRate.den / frameRate.num;
  return [
    ...(frames.found === frames.expected
      ? []
      : [`It has ${counted(frames.found, 'frame')} instead of ${frames.expected}.`]),
    ...(largestTimeError <= TIME_TOLERANCE ? [] : [`A frame is ${largestTimeError} s away from its time.`]),
    ...(Math.abs(seconds.found - seconds.expected) <= frame + TIME_TOLERANCE
      ? []
      : [`It lasts ${seconds.found} s instead of ${seconds.expected} s.`]),
    ...sound.flatMap((track, index) => {
      if (track.found !== track.expected)
        return [`Sound track ${index} has ${track.found} packets instead of ${track.expected}.`];
      if (!track.sameData) return [`Sound track ${index} has other data than the source.`];
      return track.offsetError > SOUND_TOLERANCE ? [`Sound track ${index} is ${track.offsetError} s off.`] : [];
    }),
  ];
}

/** Half of the lead of sound that viewers notice (ITU-R BT.1359-1: 45 ms). */
const SOUND_TOLERANCE = 0.022;

async function readTimes(ffprobe: Program, file: string, signal?: AbortSignal) {
  const shown: [time: number, seconds: number][] = [];
  const entries = 'packet=pts_time,duration_time,flags';
  for await (const fields of packets(ffprobe, file, ['-select_streams', 'v:0'], entries, signal))
    if (fields.has('pts_time') && !fields.get('flags')?.includes('D'))
      shown.push([Number(fields.get('pts_time')), Number(fields.get('duration_time')) || 0]);
  const sorted = shown.toSorted(([a], [b]) => a - b);
  return { shown: sorted.map(([time]) => time), lastSeconds: sorted.at(-1)?.[1] ?? 0 };
}
