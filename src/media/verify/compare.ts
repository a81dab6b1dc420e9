import { createHash, type Hash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { counted } from '../../job/failure.js';
import { rounded, type VideoFacts } from '../facts.js';
import {
  ffmpegFailure,
  local,
  type Program,
  QUIET,
  run,
  start,
  type Tools,
  UNTRUSTED,
  words,
} from '../ffmpeg/process.js';
import { endOf, secondsOf, type Timetable } from '../timetable.js';

/** What the output has, beside what it should have. */
export interface Comparison {
  frames: { expected: number; found: number; repairedTimes: number };
  /** Whether the source breaks behind these frames. */
  brokenSource: boolean;
  /** From the start of the first frame to the end of the last, or to its start where the output does not say how long it is shown. */
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
  /** Whether the bytes are the same, apart from the ADTS header that AAC has in a stream and not in a file. */
  sameData: boolean;
  /** Seconds between the time of the first packet and the time it should have. */
  offsetError: number;
}

export interface CompareRequest {
  source: string;
  facts: VideoFacts;
  timetable: Timetable;
  output: string;
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
  const { source, output, facts, timetable } = request;
  const { ffprobe } = tools;
  const end = timetable.broken ? endOf(timetable) + facts.fileStart : Infinity;
  const silence = facts.audioStreams === 0 ? Promise.resolve([]) : undefined;
  const reading = [
    silence ?? readSound(ffprobe, source, end),
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
      found: rounded((times.shown.at(-1) ?? 0) - (times.shown[0] ?? 0) + times.lastSeconds),
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
      if (track.found !== track.expected)
        return [`Sound track ${index} has ${track.found} packets instead of ${track.expected}.`];
      if (!track.sameData) return [`Sound track ${index} has other data than the source.`];
      return track.offsetError > SOUND_TOLERANCE ? [`Sound track ${index} is ${track.offsetError} s off.`] : [];
    }),
  ];
}

async function readTimes(ffprobe: Program, file: string) {
  const shown: [time: number, seconds: number][] = [];
  const entries = 'packet=pts_time,duration_time,flags';
  for await (const fields of readPackets(ffprobe, file, ['-select_streams', 'v:0'], entries))
    if (fields.has('pts_time') && !fields.get('flags')?.includes('D'))
      shown.push([Number(fields.get('pts_time')), Number(fields.get('duration_time')) || 0]);
  const sorted = shown.toSorted(([a], [b]) => a - b);
  return { shown: sorted.map(([time]) => time), lastSeconds: sorted.at(-1)?.[1] ?? 0 };
}

/** A sound track of a file. */
interface Sound {
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
  const tracks = new Map<string, Omit<Sound, 'hash'> & { hash: Hash }>();
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
  return inOrder.map(([, track]) => ({ ...track, hash: track.hash.digest('hex') }));
}

async function compareSound(
  ffmpeg: Program,
  { source, facts }: CompareRequest,
  before: Sound[],
  after: Sound[],
): Promise<SoundComparison[]> {
  const differs = before.some(({ hash }, index) => hash !== after[index]?.hash);
  const bare =
    differs && facts.soundCodecs.includes('aac') ? await hashesWithoutAdts(ffmpeg, source, facts, before) : [];
  return before.map(({ packets: expected, first, hash }, index) => {
    const track = after[index];
    if (!track) return { expected, found: 0, sameData: false, offsetError: 0 };
    const sameData = track.hash === hash || track.hash === bare[index];
    const offsetError = rounded(Math.abs(first - facts.fileStart - track.first));
    return { expected, found: track.packets, sameData, offsetError };
  });
}

/** The hashes that the same packets of the source have in files such as MP4, where AAC has no ADTS header. */
async function hashesWithoutAdts(
  ffmpeg: Program,
  source: string,
  { soundCodecs }: VideoFacts,
  tracks: Sound[],
): Promise<string[]> {
  const bare = soundCodecs.flatMap((codec, index) => (codec === 'aac' ? [`-bsf:a:${index}`, 'aac_adtstoasc'] : []));
  const copy = [...words('-map 0:a -c copy'), ...bare, ...words('-f framemd5 pipe:1')];
  // Where ffmpeg fails there are too few lines, and the hashes differ.
  const { stdout } = await run(ffmpeg, [...QUIET, '-nostdin', ...UNTRUSTED, '-i', local(source), ...copy]);
  const lines = stdout
    .toString()
    .split('\n')
    .map((line) => line.split(',').map((field) => field.trim()));
  return tracks.map(({ packets: count }, index) => {
    const own = lines.filter(([stream]) => stream === String(index)).slice(0, count);
    return createHash('md5')
      .update(own.map(([, , , , , hash]) => `MD5:${hash}`).join(''))
      .digest('hex');
  });
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
    if (end.code !== 0 && !mayBreak) throw ffmpegFailure(ffprobe, end, 'read the output back');
  } finally {
    await running.stop();
  }
}

function halves(field: string): [string, string] {
  const at = field.indexOf('=');
  return [field.slice(0, at), field.slice(at + 1)];
}
