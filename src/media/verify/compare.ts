import { createHash, type Hash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { counted } from '../../job/failure.js';
import { rounded, secondsOfClock, type VideoFacts } from '../facts.js';
import {
  ffmpegFailure,
  isKilled,
  local,
  type Program,
  QUIET,
  run,
  start,
  type Tools,
  UNTRUSTED,
  words,
} from '../ffmpeg/process.js';
import type { OtherStream, OtherStreams } from '../stitch/other-streams.js';
import { endOf, secondsOf, type Timetable } from '../timetable.js';

/** What the output has, beside what it should have. */
export interface Comparison {
  frames: { expected: number; found: number; repairedTimes: number };
  /** Whether the source breaks behind these frames. */
  brokenSource: boolean;
  /** From the start of the first frame to the end of the last. */
  seconds: { expected: number; found: number };
  /** The largest difference in seconds between the time of a frame and the time it should have. */
  largestTimeError: number;
  /** Sound track by sound track. */
  sound: SoundComparison[];
  /** What is not as it should be, one sentence each; empty for a file that counts as done. */
  problems: string[];
}

/** A sound track of the output beside that of the source. */
export interface SoundComparison {
  /** Packets. */
  expected: number;
  found: number;
  /**
   * Whether the bytes are those that the source has, or becomes when it is decoded to what the output holds. Packets may be cut anew, as
   * those of PCM are, and AAC has an ADTS header only in a stream.
   */
  sameData: boolean;
  /** Seconds between the time of the first packet and the time it should have. */
  offsetError: number;
}

export interface CompareRequest {
  /** Left out where the output has nothing but frames. */
  source?: string | undefined;
  facts: VideoFacts;
  timetable: Timetable;
  output: string;
  /** What the output should hold besides the picture. */
  others: OtherStreams;
}

/** Matroska rounds times to its millisecond, and if the source is Matroska too, its times were rounded already. */
const TIME_TOLERANCE = 0.001_001;
/** Half of the lead of sound that viewers notice (ITU-R BT.1359-1: 45 ms). */
const SOUND_TOLERANCE = 0.022;

/**
 * Reads the output back, without decoding, and compares each frame's time and each sound packet with what they should be.
 * @throws JobError `user` when either file cannot be read.
 */
export async function compare(tools: Tools, request: CompareRequest): Promise<Comparison> {
  const { source = '', output, facts, timetable, others } = request;
  const { ffprobe } = tools;
  const end = timetable.broken ? endOf(timetable) + facts.fileStart : Infinity;
  const sound = others.streams.filter(({ kind }) => kind === 'sound').map(({ index }) => index);
  const silence = sound.length === 0 ? Promise.resolve([]) : undefined;
  const reading = [
    silence ?? readSound(ffprobe, source, end).then((all) => all.filter(({ index }) => sound.includes(index))),
    silence ?? readSound(ffprobe, output),
    readTimes(ffprobe, output),
  ] as const;
  // All three are waited for whatever happens, so that no ffprobe is left behind.
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
      found: rounded(times.end - (times.shown[0] ?? 0)),
    },
    largestTimeError: rounded(errors.reduce((most, error) => Math.max(most, error), 0)),
    sound: await compareSound(tools.ffmpeg, request, before, after),
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
      if (!track.sameData && track.found !== track.expected)
        return [`Sound track ${index} has ${track.found} packets instead of ${track.expected}.`];
      if (!track.sameData) return [`Sound track ${index} has other data than the source.`];
      return track.offsetError > SOUND_TOLERANCE ? [`Sound track ${index} is ${track.offsetError} s off.`] : [];
    }),
  ];
}

async function readTimes(ffprobe: Program, file: string) {
  const shown: [time: number, seconds: number][] = [];
  let end = NaN;
  const entries = 'packet=pts_time,duration_time,flags:stream=start_time,duration:stream_tags=DURATION';
  for await (const fields of readPackets(ffprobe, file, ['-select_streams', 'v:0'], entries)) {
    if (fields.has('start_time')) end = statedEnd(fields);
    else if (fields.has('pts_time') && !fields.get('flags')?.includes('D'))
      shown.push([Number(fields.get('pts_time')), Number(fields.get('duration_time')) || 0]);
  }
  const sorted = shown.toSorted(([a], [b]) => a - b);
  const [last = 0, seconds = 0] = sorted.at(-1) ?? [];
  return { shown: sorted.map(([time]) => time), end: Number.isNaN(end) ? last + seconds : end };
}

/** When a picture track ends, in seconds: Matroska says it by a tag, MP4 how long the track is. NaN where the file does not say. */
function statedEnd(fields: Map<string, string>): number {
  const tag = fields.get('tag:DURATION');
  return tag === undefined ? Number(fields.get('start_time')) + Number(fields.get('duration')) : secondsOfClock(tag);
}

/** A sound track of a file. */
interface Sound {
  /** Of the stream in its file. */
  index: number;
  packets: number;
  /** Time of the first packet in seconds of the file. */
  first: number;
  /** Of the hashes of all packets. */
  hash: string;
}

/**
 * The sound tracks in the order of the file.
 * @param end packets that begin later, in seconds of the file, do not count; with an end, the file may break behind it
 */
async function readSound(ffprobe: Program, file: string, end = Infinity): Promise<Sound[]> {
  const tracks = new Map<string, Omit<Sound, 'hash' | 'index'> & { hash: Hash }>();
  const entries = 'packet=stream_index,pts_time,data_hash';
  const options = ['-select_streams', 'a', '-show_data_hash', 'md5'];
  let stream = '';
  for await (const fields of readPackets(ffprobe, file, options, entries, end < Infinity)) {
    if (Number(fields.get('pts_time')) >= end) continue;
    const next = fields.get('stream_index');
    stream = next ?? stream;
    const track = tracks.get(stream) ?? { packets: 0, first: Number(fields.get('pts_time')), hash: createHash('md5') };
    // Side data breaks the line of a packet in two, and the second one does not name the stream.
    if (next !== undefined) track.packets += 1;
    track.hash.update(fields.get('data_hash') ?? '');
    tracks.set(stream, track);
  }
  const inOrder = [...tracks].toSorted(([a], [b]) => Number(a) - Number(b));
  return inOrder.map(([index, track]) => ({ ...track, index: Number(index), hash: track.hash.digest('hex') }));
}

async function compareSound(
  ffmpeg: Program,
  { source = '', facts, timetable, output, others }: CompareRequest,
  before: Sound[],
  after: Sound[],
): Promise<SoundComparison[]> {
  const tracks = before.map((track, position) => ({ track, position, found: after[position] }));
  const different = tracks.filter(({ track, found }) => found && track.hash !== found.hash);
  const streams = new Map(others.streams.map((stream) => [stream.index, stream]));
  // At its break, the source ends for both.
  const most = timetable.broken ? ['-t', endOf(timetable).toFixed(6)] : [];
  const [was, is] = await Promise.all([
    wholeHashes(
      ffmpeg,
      source,
      different.map(({ track }) => ['-map', `0:${track.index}`, ...becoming(streams.get(track.index)), ...most]),
    ),
    wholeHashes(
      ffmpeg,
      output,
      different.map(({ position }) => ['-map', `0:a:${position}`, '-c', 'copy']),
    ),
  ]);
  const equal = new Set(different.filter((_, k) => was[k] !== undefined && was[k] === is[k]).map(({ track }) => track));
  return tracks.map(({ track, found }) => {
    const expected = track.packets;
    if (!found) return { expected, found: 0, sameData: false, offsetError: 0 };
    const sameData = track.hash === found.hash || equal.has(track);
    // Encoders begin a moment before the sound does, which decoders leave out.
    const heard = (time: number) => (isEncoded(streams.get(track.index)) ? Math.max(0, time) : time);
    const offsetError = rounded(Math.abs(heard(track.first - facts.fileStart) - heard(found.first)));
    return { expected, found: found.packets, sameData, offsetError };
  });
}

const isEncoded = (stream?: OtherStream) => stream !== undefined && !/^(?:copy|pcm_\w+)$/.test(stream.to);

/** Options that make of a track of the source what the output should have: AAC, for one, has no ADTS header in files such as MP4. */
function becoming(stream: OtherStream | undefined): string[] {
  if (stream && stream.to !== 'copy') return ['-c', stream.to];
  return ['-c', 'copy', ...(stream?.from === 'aac' ? ['-bsf', 'aac_adtstoasc'] : [])];
}

/**
 * The hash of all bytes of each track. Where ffmpeg fails there are too few.
 * @param tracks options for each
 */
async function wholeHashes(ffmpeg: Program, file: string, tracks: string[][]): Promise<(string | undefined)[]> {
  if (tracks.length === 0) return [];
  const outputs = tracks.flatMap((options) => [...options, ...words('-f md5 pipe:1')]);
  const { stdout } = await run(ffmpeg, [...QUIET, '-nostdin', ...UNTRUSTED, '-i', local(file), ...outputs]);
  const hashes = stdout.toString().match(/^MD5=\S+$/gm) ?? [];
  return hashes.length === tracks.length ? hashes : [];
}

/** The packets of a file one by one, so that an hour of sound takes no more memory than a second. */
async function* readPackets(ffprobe: Program, file: string, options: string[], entries: string, mayBreak = false) {
  const shown = ['-show_entries', entries, '-of', 'compact=p=0'];
  const running = start(ffprobe, [...QUIET, ...UNTRUSTED, ...options, ...shown, local(file)]);
  running.stdin.end();
  try {
    for await (const line of createInterface({ input: running.stdout }))
      if (line !== '') yield new Map(line.split('|').map((field) => halves(field)));
    const end = await running.ended;
    if (isKilled(end) || (end.code !== 0 && !mayBreak)) throw ffmpegFailure(ffprobe, end, 'read the output back');
  } finally {
    await running.stop();
  }
}

function halves(field: string): [string, string] {
  const at = field.indexOf('=');
  return [field.slice(0, at), field.slice(at + 1)];
}
