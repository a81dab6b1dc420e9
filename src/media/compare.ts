import { createHash, type Hash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { counted } from '../job/counted.js';
import { local, QUIET, UNTRUSTED } from './arguments.js';
import { ffmpegFailure } from './failure.js';
import type { VideoFacts } from './facts.js';
import { start, type Program } from './process.js';
import { endOf, secondsOf, type Timetable } from './timetable.js';

/** What the output has, beside what it should have. */
export interface Comparison {
  frames: { expected: number; found: number; repairedTimes: number };
  /** From the start of the first frame to the end of the last, or its start where the output does not say how long it is shown. */
  seconds: { expected: number; found: number };
  /** Seconds between the time of a frame and the time it should have, at most. */
  largestTimeError: number;
  /** Sound track by sound track: packets, whether their bytes are the same, and seconds that the first one is off. */
  sound: { expected: number; found: number; sameData: boolean; offsetError: number }[];
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
export async function compare(ffprobe: Program, request: CompareRequest): Promise<Comparison> {
  const { source, output, facts, timetable, signal } = request;
  const end = timetable.broken ? endOf(timetable) + facts.fileStart : Infinity;
  const silence = facts.audioStreams === 0 ? Promise.resolve(new Map<string, Sound>()) : undefined;
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
    seconds: {
      expected: rounded(
        (expected.at(-1) ?? 0) - (expected[0] ?? 0) + secondsOf(timetable.timeBase, timetable.lastTicks),
      ),
      found: rounded((times.shown.at(-1) ?? 0) - (times.shown[0] ?? 0) + times.lastSeconds),
    },
    largestTimeError: rounded(errors.reduce((most, error) => Math.max(most, error), 0)),
    sound: [...before.values()].map((track, index) => compareSound(track, [...after.values()][index], facts.fileStart)),
    problems: [],
  };
  return { ...comparison, problems: problemsOf(comparison, facts) };
}

/** One sound track of a file. */
interface Sound {
  packets: number;
  first: number;
  hash: Hash;
}

function compareSound(before: Sound, after: Sound | undefined, fileStart: number): Comparison['sound'][number] {
  if (!after) return { expected: before.packets, found: 0, sameData: false, offsetError: 0 };
  const sameData = before.hash.digest('hex') === after.hash.digest('hex');
  const offsetError = rounded(Math.abs(before.first - fileStart - after.first));
  return { expected: before.packets, found: after.packets, sameData, offsetError };
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

/** @param end what begins later, in seconds of the file, does not count; neither does what a broken file fails at */
async function readSound(
  ffprobe: Program,
  file: string,
  signal?: AbortSignal,
  end = Infinity,
): Promise<Map<string, Sound>> {
  const tracks = new Map<string, Sound>();
  const entries = 'packet=stream_index,pts_time,data_hash';
  const options = ['-select_streams', 'a', '-show_data_hash', 'md5'];
  let stream = '';
  for await (const fields of packets(ffprobe, file, options, entries, signal, end < Infinity)) {
    if (Number(fields.get('pts_time')) >= end) continue;
    const next = fields.get('stream_index');
    stream = next ?? stream;
    const track = tracks.get(stream) ?? { packets: 0, first: Number(fields.get('pts_time')), hash: createHash('md5') };
    // Side data breaks the line of a packet in two, the second without the stream.
    if (next !== undefined) track.packets += 1;
    track.hash.update(fields.get('data_hash') ?? '');
    tracks.set(stream, track);
  }
  return tracks;
}

async function readTimes(ffprobe: Program, file: string, signal?: AbortSignal) {
  const shown: [time: number, seconds: number][] = [];
  const entries = 'packet=pts_time,duration_time,flags';
  for await (const fields of packets(ffprobe, file, ['-select_streams', 'v:0'], entries, signal))
    if (fields.has('pts_time') && !fields.get('flags')?.includes('D'))
      shown.push([Number(fields.get('pts_time')), Number(fields.get('duration_time')) || 0]);
  const sorted = shown.toSorted(([a], [b]) => a - b);
  return { shown: sorted.map(([time]) => time), lastSeconds: sorted.at(-1)?.[1] ?? 0 };
}

/** The packets of a file one by one, so that an hour of sound takes no more memory than a second. */
async function* packets(
  ffprobe: Program,
  file: string,
  options: string[],
  entries: string,
  signal?: AbortSignal,
  mayBreak = false,
) {
  const shown = ['-show_entries', entries, '-of', 'compact=p=0'];
  const running = start(ffprobe, [...QUIET, ...UNTRUSTED, ...options, ...shown, local(file)], signal);
  running.stdin.end();
  try {
    for await (const line of createInterface({ input: running.stdout }))
      if (line !== '') yield new Map(line.split('|').map((field) => halves(field)));
    const end = await running.ended;
    signal?.throwIfAborted();
    if (end.code !== 0 && !mayBreak) throw ffmpegFailure(ffprobe, end, 'read the output back');
  } finally {
    running.kill();
    await running.ended;
  }
}

function halves(field: string): [string, string] {
  const at = field.indexOf('=');
  return [field.slice(0, at), field.slice(at + 1)];
}

/** To the microsecond: differences of decimal fractions end in noise. */
const rounded = (seconds: number) => Math.round(seconds * 1e6) / 1e6;
