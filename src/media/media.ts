import path from 'node:path';
import type { FfmpegPaths } from './ffmpeg/find.js';
import type { SoundFacts, VideoFacts } from './facts.js';
import { type MediaLimits, readMediaLimits } from './limits.js';
import { probe, type ProbeOptions, probeSound } from './probe/probe.js';
import { type Chunk, findChunks } from './split/chunks.js';
import { split, splitChunk, type SplitChunkRequest, type SplitRequest } from './split/split.js';
import { contactSheet, type Pair } from './stitch/contact-sheet.js';
import { thumbnail } from './stitch/thumbnail.js';
import { rehearse, type Rehearsed, type RehearseRequest } from './stitch/rehearse.js';
import { encodeSegment, join, stitch } from './stitch/stitch.js';
import type { EncodeRequest, JoinRequest, StitchRequest } from './stitch/stitch-arguments.js';
import { compare, type CompareRequest, type Comparison } from './verify/compare.js';

export type { Rational, SoundFacts, VideoFacts } from './facts.js';
export { confinement, findFfmpeg, type FfmpegPaths } from './ffmpeg/find.js';
export { type MediaLimits, readMediaLimits } from './limits.js';
export type { Chunk } from './split/chunks.js';
export { type Findings, findingsWarnings, isAsProbed, splitAgain } from './split/split.js';
export type { Pair } from './stitch/contact-sheet.js';
export type { OtherStreams } from './stitch/other-streams.js';
export type { Rehearsed } from './stitch/rehearse.js';
export type { PictureShape, StitchRequest } from './stitch/stitch-arguments.js';
export {
  constantTimetable,
  pack,
  type PackedTimetable,
  partOf,
  timeOf,
  type RawTimes,
  type Timetable,
  unpack,
  wholeTimetable,
} from './timetable.js';
export type { Comparison } from './verify/compare.js';

/** The port to ffmpeg and ffprobe. Errors are JobErrors; no process outlives its call. */
export interface Media {
  /** @see probe in probe/probe.ts */
  probe: (file: string, options?: ProbeOptions) => Promise<VideoFacts>;
  /** @see probeSound in probe/probe.ts; `name` is what error messages call the file */
  probeSound: (file: string, name: string) => Promise<SoundFacts>;
  /** @see split in split/split.ts; `name` is the base name of the file when left out */
  split: (file: string, request: Omit<SplitRequest, 'file' | 'name'> & { name?: string }) => AsyncGenerator<Buffer>;
  /** @see findChunks in split/chunks.ts */
  findChunks: (file: string, facts: VideoFacts, most: number, pack?: number) => Promise<Chunk[]>;
  /** @see splitChunk in split/split.ts */
  splitChunk: (request: SplitChunkRequest) => AsyncGenerator<Buffer>;
  /** @see rehearse in stitch/rehearse.ts */
  rehearse: (request: RehearseRequest) => Promise<Rehearsed>;
  /** @see stitch in stitch/stitch.ts */
  stitch: (request: StitchRequest) => Promise<void>;
  /** @see encodeSegment in stitch/stitch.ts */
  encodeSegment: (request: EncodeRequest) => Promise<void>;
  /** @see join in stitch/stitch.ts */
  join: (request: JoinRequest) => Promise<void>;
  /** @see compare in verify/compare.ts */
  compare: (request: CompareRequest) => Promise<Comparison>;
  /** @see contactSheet in stitch/contact-sheet.ts */
  contactSheet: (pairs: Pair[], output: string) => Promise<void>;
  /** @see thumbnail in stitch/thumbnail.ts */
  thumbnail: (picture: Buffer, folder: string) => Promise<Buffer>;
  /** The same port, whose programs are killed and started no more once the signal is aborted. */
  stoppedBy: (signal: AbortSignal) => Media;
}

/**
 * @param confinement words in front of the programs that take rights from them; see `confinement`
 * @param environment all that the programs get of the environment
 */
export function createMedia(
  paths: FfmpegPaths,
  {
    limits = readMediaLimits({}),
    environment = {},
    confinement = [],
    signal,
  }: { limits?: MediaLimits; environment?: NodeJS.ProcessEnv; confinement?: string[]; signal?: AbortSignal } = {},
): Media {
  const tools = {
    ffmpeg: { path: paths.ffmpeg, confinement, environment, limits, signal },
    ffprobe: { path: paths.ffprobe, confinement, environment, limits, signal },
  };
  const { ffmpeg, ffprobe } = tools;
  return {
    probe: (file, { name = path.basename(file), keep } = {}) => probe(ffprobe, file, { name, keep }),
    probeSound: (file, name) => probeSound(ffprobe, file, name),
    split: (file, { name = path.basename(file), ...request }) => split(ffmpeg, { file, name, ...request }),
    findChunks: (file, facts, most, pack) => findChunks(ffprobe, file, facts, most, pack),
    splitChunk: (request) => splitChunk(ffmpeg, request),
    rehearse: (request) => rehearse(tools, request),
    stitch: (request) => stitch(ffmpeg, request),
    encodeSegment: (request) => encodeSegment(ffmpeg, request),
    join: (request) => join(ffmpeg, request),
    compare: (request) => compare(tools, request),
    contactSheet: (pairs, output) => contactSheet(tools, pairs, output),
    thumbnail: (picture, folder) => thumbnail(ffmpeg, picture, folder),
    stoppedBy: (stopping) => createMedia(paths, { limits, environment, confinement, signal: stopping }),
  };
}
