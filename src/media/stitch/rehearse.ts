import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { JobError } from '../../job/failure.js';
import { endingOf } from '../../job/items/formats.js';
import { ffmpegFailure, isDiskFull, local, QUIET, run, type Tools, UNTRUSTED, words } from '../ffmpeg/process.js';
import { tickOf, type Timetable } from '../timetable.js';
import { compare } from '../verify/compare.js';
import { type Container, containerOf, isMp4 } from './container.js';
import { lostTags, sentences } from './left-out.js';
import {
  type Contents,
  kindOf,
  nameOf,
  type OtherStream,
  type OtherStreams,
  pictureTags,
  readContents,
  type Stream,
  type StreamKind,
  waysFor,
} from './other-streams.js';
import { stitch } from './stitch.js';
import type { StitchRequest } from './stitch-arguments.js';

export interface RehearseRequest extends Pick<StitchRequest, 'source' | 'facts' | 'shape' | 'codec' | 'quality'> {
  /** Where it tries things; beside the source when left out. */
  folder?: string;
  /** The name that the output will have. When left out: .mp4, or .mkv where MP4 cannot hold the sound or the codec. */
  output?: string;
}

export interface Rehearsed {
  /** What the name of the output ends in. */
  ending: string;
  others: OtherStreams;
  /** What the output leaves out or changes, one sentence each. */
  warnings: string[];
}

/** Seconds of the source that a trial reads, unless a sound starts later. */
const TRIAL_SECONDS = 2;

/**
 * Finds out, before a frame is split, what the output will hold. The muxers of two FFmpegs differ, and none says what it takes, so three
 * black pictures, with the video's size and its first and last times, are stitched with the beginning of the source and read back. What
 * fails is tried in other ways and then left out.
 * @throws JobError `user` when the output cannot hold the sound, or cannot be written at all.
 */
export async function rehearse(tools: Tools, request: RehearseRequest): Promise<Rehearsed> {
  const { output, source, folder: around = path.dirname(source ?? '') } = request;
  const contents = source === undefined ? NOTHING : await readContents(tools.ffprobe, source);
  const folder = await mkdtemp(path.join(around, 'trial-'));
  try {
    const usual = request.codec === 'ffv1' ? ['.mkv'] : ['.mp4', '.mkv'];
    const refused: string[] = [];
    for (const name of output === undefined ? usual : [output]) {
      const tried = await createTrials(tools, request, contents, folder, name).rehearse();
      if (!('refused' in tried)) return { ...tried, ending: endingOf(name) };
      refused.push(tried.refused);
    }
    // Most of what another container cannot hold, Matroska can.
    const elsewhere = output !== undefined && endingOf(output) !== MATROSKA;
    const inMatroska = elsewhere && (await createTrials(tools, request, contents, folder, MATROSKA).rehearse());
    const advice =
      inMatroska && !('refused' in inMatroska)
        ? 'name the output .mkv'
        : 'choose another codec or export the video anew';
    throw new JobError('user', `${output ?? 'The output'} cannot hold ${refused.at(-1)}; ${advice}.`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const NOTHING: Contents = { format: {}, streams: [], chapters: [] };

interface Candidate {
  stream: Stream;
  kind: StreamKind;
  ways: string[];
}

/** Of frames that were files. */
const NO_PICTURE: Stream = { index: -1 };

const MATROSKA = '.mkv';
/** What every FFmpeg decodes. */
const COMMON_SOUND = /^(aac|mp[123]|e?ac3|dts|opus|vorbis|flac|alac|pcm_\w+|s302m)$/;

function createTrials(
  tools: Tools,
  request: Omit<RehearseRequest, 'output' | 'folder'>,
  contents: Contents,
  folder: string,
  name: string,
) {
  const { ffmpeg, ffprobe } = tools;
  const { source = '', facts } = request;
  const container = held(name);
  const ending = endingOf(name);
  const file = `output${ending}`;
  /** Seconds of the source to read; all of it when undefined. */
  let most: number | undefined = TRIAL_SECONDS;
  const limit = () => (most === undefined ? [] : ['-t', String(most)]);

  async function listCandidates(): Promise<Candidate[]> {
    const candidates: Candidate[] = [];
    for (const stream of contents.streams) {
      const kind = kindOf(stream, contents);
      // A source without the picture is there for its sound alone.
      if (!kind || (!picture && kind !== 'sound')) continue;
      const useless = kind === 'sound' && !(await canDecode(stream));
      // Sound that goes with frames has no video that it must stay as it is for.
      const encoder = picture || container.sound === undefined ? [] : [container.sound];
      candidates.push({ stream, kind, ways: useless ? [] : [...waysFor(stream, kind, container), ...encoder] });
    }
    return candidates;
  }

  /** Of a codec that ffmpeg does not know it would copy the packets without what a player needs to read them. */
  async function canDecode(stream: Stream): Promise<boolean> {
    if (COMMON_SOUND.test(nameOf(stream))) return true;
    const decode = ['-map', `0:${stream.index}`, ...words('-c pcm_s16le -f null -')];
    const input = ['-t', String(TRIAL_SECONDS), '-i', local(source)];
    return (await run(ffmpeg, [...QUIET, '-nostdin', ...UNTRUSTED, ...input, ...decode])).code === 0;
  }

  const picture = contents.streams.find(({ index }) => index === facts.streamIndex);
  const plan = (streams: OtherStream[]): OtherStreams => ({
    streams,
    pictureTags: pictureTags(picture ?? NO_PICTURE),
    anyTags: false,
  });

  /** Takes streams into a file without the picture: the beginning of what is copied, all of what is converted. */
  async function take(streams: OtherStream[], into: string): Promise<Contents | undefined> {
    const taken = path.join(folder, `streams${into}`);
    const maps = streams.flatMap(({ index, to }, position) => ['-map', `0:${index}`, `-c:${position}`, to]);
    const beginning = streams.some(({ to }) => to !== 'copy') ? [] : limit();
    const strict = facts.damaged || streams.some(({ broken }) => broken) ? [] : ['-xerror'];
    const input = [...QUIET, '-nostdin', '-y', ...strict, ...UNTRUSTED, ...beginning, '-i', local(source)];
    const end = await run(ffmpeg, [...input, ...maps, ...words(`-strict -2 -f ${held(into).muxer}`), local(taken)]);
    if (end.code === 0) return readContents(ffprobe, taken);
    // None of these says anything about the streams.
    if (end.tooLong || isDiskFull(end)) throw ffmpegFailure(ffmpeg, end, `try what ${file} can hold`);
    return undefined;
  }

  /** Whether a sound has nothing in the beginning of the source: without a packet, MP4 and MOV of some codecs (AC-3) do not work. */
  async function startsLate(candidates: Candidate[]): Promise<boolean> {
    const packets = words('-show_entries packet=stream_index -of csv=p=0');
    const interval = ['-read_intervals', `%+${TRIAL_SECONDS}`];
    const { stdout } = await run(ffprobe, [...QUIET, ...UNTRUSTED, ...interval, ...packets, local(source)]);
    const heard = new Set(stdout.toString().split(/\D+/));
    return candidates.some(({ stream, kind }) => kind === 'sound' && !heard.has(String(stream.index)));
  }

  async function works(stream: OtherStream, into = ending): Promise<boolean> {
    // Covers are judged by the trial alone.
    if (stream.kind === 'cover') return true;
    const taken = await take([stream], into);
    return taken !== undefined && sameCodecs([stream], taken);
  }

  async function firstThatWorks({ stream: { index, ...stream }, kind, ways }: Candidate): Promise<OtherStream[]> {
    const from = nameOf({ index, ...stream });
    for (const to of ways) {
      const one: OtherStream = { index, kind, from, to };
      // Sound that another container holds as it is, is the user's to decide about; PCM in another wrapping is still PCM.
      if (
        picture &&
        kind === 'sound' &&
        to !== 'copy' &&
        !isPcm(from) &&
        (await works({ ...one, to: 'copy' }, MATROSKA))
      )
        break;
      if (await works(one)) return [one];
      if (to !== 'copy' && (await works({ ...one, broken: true }))) return [{ ...one, broken: true }];
    }
    return [];
  }

  /** @throws JobError when the output cannot be written or is not as it should be */
  async function trial(others: OtherStreams, pace = trialTimes(facts), size?: typeof SMALL): Promise<Contents> {
    const output = path.join(folder, file);
    const { width, height } = size ?? facts;
    const frames = eachOf(pace.times.map(() => blackPicture(width, height)));
    const sized = size ? { ...request, facts: { ...facts, ...size }, shape: undefined } : request;
    const stitching = { ...sized, frames, format: 'png' as const, timetable: pace, output, others };
    await stitch(ffmpeg, stitching, most);
    const silent = { facts, timetable: pace, output, others: { ...others, streams: [] } };
    const { problems } = await compare(tools, silent);
    if (problems.length > 0) throw new JobError('user', problems.join(' '));
    return readContents(ffprobe, output);
  }

  /** The contents of the output when all streams go into it together and keep their codecs; undefined otherwise. */
  async function together(others: OtherStreams, pace?: Timetable): Promise<Contents | undefined> {
    const converted = others.streams.filter(({ to }) => to !== 'copy');
    if (converted.length > 0 && !(await take(converted, ending))) return undefined;
    const result = await trial(others, pace).catch((error: unknown) => {
      if (error instanceof JobError && error.blame === 'user') return undefined;
      throw error;
    });
    return result && sameCodecs(others.streams, result) ? result : undefined;
  }

  async function find(
    candidates: Candidate[],
  ): Promise<{ others: OtherStreams; result: Contents } | { refused: string }> {
    const first = plan(
      candidates.flatMap(({ stream, kind, ways: [to] }) =>
        to === undefined ? [] : [{ index: stream.index, kind, from: nameOf(stream), to }],
      ),
    );
    const atOnce = await together(first);
    if (atOnce) return { others: first, result: atOnce };
    if (await startsLate(candidates)) {
      most = undefined;
      const whole = await together(first);
      if (whole) return { others: first, result: whole };
    }
    const chosen: OtherStream[] = [];
    const unheld: string[] = [];
    for (const candidate of candidates) {
      const way = await firstThatWorks(candidate);
      chosen.push(...way);
      const { kind, stream, ways } = candidate;
      if (kind === 'sound' && ways.length > 0 && way.length === 0) unheld.push(nameOf(stream));
    }
    if (unheld.length > 0) return { refused: `the sound (${unheld.join(', ')}) as it is` };
    const kept = plan(chosen);
    for (const others of [kept, withoutTimecode(kept), withoutCovers(kept), withoutCovers(withoutTimecode(kept))]) {
      const result = await together(others);
      if (result) return { others, result };
    }
    return { refused: await whyNot(kept) };
  }

  /**
   * Says what is to blame when even the streams that work alone do not work together.
   * @throws JobError when no video at all can be written
   */
  async function whyNot(others: OtherStreams): Promise<string> {
    const pictureOnly = { ...others, streams: [], pictureTags: [] };
    if (await together(pictureOnly)) return 'all of its other streams together';
    const { codec, shape = facts } = request;
    if (!(await together(pictureOnly, plainTimes))) {
      await trial(pictureOnly, plainTimes, SMALL);
      return `pictures of ${shape.width} × ${shape.height} in ${codec}`;
    }
    const rate = facts.frameRate.num / facts.frameRate.den;
    return `its times (${Number(rate.toPrecision(3))} frames a second for ${Number(facts.durationSeconds.toPrecision(3))} s)`;
  }

  return {
    async rehearse(): Promise<{ others: OtherStreams; warnings: string[] } | { refused: string }> {
      const candidates = await listCandidates();
      const found = await find(candidates);
      if ('refused' in found) return found;
      const best = await withAllTags(found);
      const left = candidates.filter(({ stream }) => best.others.streams.every(({ index }) => index !== stream.index));
      return { others: best.others, warnings: sentences(contents, left, best.others.streams, best.result) };
    },
  };

  /** Apple and Android keep tags under names of their own (`com.apple.quicktime.make`), for which MP4 and MOV have another place. */
  async function withAllTags(found: { others: OtherStreams; result: Contents }) {
    const { others, result } = found;
    const lost = lostTags(contents, result);
    const hasCover = others.streams.some(({ kind }) => kind === 'cover');
    if (!isMp4(container) || hasCover || !lost.some((tag) => tag.startsWith('com.'))) return found;
    const any = { ...others, anyTags: true };
    const again = await together(any);
    return again && lostTags(contents, again).length < lost.length ? { others: any, result: again } : found;
  }
}

function held(name: string): Container {
  const container = containerOf(name);
  if (!container) throw new RangeError(`${name} is no kind of video that is written`);
  return container;
}

const isPcm = (codec: string) => codec.startsWith('pcm_') || codec === 's302m';

const withoutCovers = (others: OtherStreams): OtherStreams => ({
  ...others,
  streams: others.streams.filter(({ kind }) => kind !== 'cover'),
});

/** A time code of another rate or of a form that MOV does not know stops ffmpeg. An empty tag removes it. */
const withoutTimecode = (others: OtherStreams): OtherStreams => ({
  ...others,
  pictureTags: [...others.pictureTags.filter(([name]) => name !== 'timecode'), ['timecode', '']],
});

/** MPEG audio of every layer has one name in MP4, and an encoder may have another name than what it makes. */
const family = (codec: string) => (/^mp[123]$/.test(codec) ? 'mp3' : codec.replace(/^lib/, ''));

/** Whether the sound in a file is of the codecs that were meant. Some muxers take what their readers do not know again. */
function sameCodecs(streams: OtherStream[], { streams: found }: Contents): boolean {
  const meant = streams.filter(({ kind }) => kind === 'sound').map(({ from, to }) => (to === 'copy' ? from : to));
  const sound = found.filter(({ codec_type }) => codec_type === 'audio').map((stream) => nameOf(stream));
  return meant.length <= sound.length && meant.every((codec, index) => family(codec) === family(sound[index] ?? ''));
}

/** The first two times and the last one, as far as they are known before the frames are decoded. */
function trialTimes(facts: StitchRequest['facts']): Timetable {
  const timeBase = tickOf(facts);
  const ticks = (seconds: number) => Math.round((seconds * timeBase.den) / timeBase.num);
  const frameTicks = Math.max(1, ticks(facts.frameRate.den / facts.frameRate.num));
  const first = ticks(facts.startTime);
  const last = ticks(facts.startTime + facts.durationSeconds - facts.lastSeconds);
  const times = [first, first + frameTicks, last].slice(0, facts.framesEstimate);
  return {
    timeBase,
    times: times.filter((time, index) => index === 0 || time > (times[index - 1] ?? 0)),
    frameTicks,
    lastTicks: ticks(facts.lastSeconds) || frameTicks,
    repaired: 0,
    ...(facts.damaged ? { broken: true } : {}),
  };
}

const SMALL = { width: 64, height: 64 };

const plainTimes: Timetable = {
  timeBase: { num: 1, den: 1000 },
  times: [0, 40],
  frameTicks: 40,
  lastTicks: 40,
  repaired: 0,
};

async function* eachOf(frames: Buffer[]): AsyncGenerator<Buffer> {
  yield* frames;
}

/** A PNG of one bit a pixel (https://www.w3.org/TR/png-3/). */
function blackPicture(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.writeUInt8(1, 8);
  const rows = deflateSync(Buffer.alloc((Math.ceil(width / 8) + 1) * height), { level: 1 });
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    pngChunk('IDAT', rows),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
