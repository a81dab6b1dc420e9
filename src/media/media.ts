import path from 'node:path';
import { contactSheet, type Pair } from './stitch/contact-sheet.js';
import { compare, type CompareRequest, type Comparison } from './verify/compare.js';
import type { FrameFormat, VideoFacts } from './facts.js';
import type { FfmpegPaths } from './ffmpeg/find.js';
import { type MediaLimits, readMediaLimits } from './limits.js';
import { probe, type ProbeOptions } from './probe/probe.js';
import { type Chunk, findChunks } from './split/chunks.js';
import { encodeSegment, join, type JoinRequest, type SegmentRequest } from './stitch/segments.js';
import { split, splitChunk, type SplitChunkRequest } from './split/split.js';
import { stitch, type StitchRequest } from './stitch/stitch.js';
import type { Timetable } from './timetable.js';

export { containerOf, dropped, unheldSound } from './stitch/container.js';
export type { Comparison } from './verify/compare.js';
export type { Pair } from './stitch/contact-sheet.js';
export type { FrameFormat, VideoFacts } from './facts.js';
export { confinement } from './ffmpeg/confinement.js';
export { findFfmpeg, type FfmpegPaths } from './ffmpeg/find.js';
export { type MediaLimits, readMediaLimits } from './limits.js';
export type { StitchRequest } from './stitch/stitch.js';
export type { Chunk } from './split/chunks.js';
export { wholeTimetable } from './split/split.js';
export { pack, partOf, type RawTimes, unpack, type PackedTimetable, type Timetable } from './timetable.js';

export interface SplitOptions {
  format: FrameFormat;
  /** What `probe` found in the file; probed again when left out. */
  facts?: VideoFacts;
  /** What messages call the file; its base name when left out. */
  name?: string;
  /** Whether a file that breaks half-way gives the frames before the break; else it gives an error behind them. */
  keep?: boolean;
  /** Called once, after the last frame, with the time of each. */
  onTimetable?: (timetable: Timetable) => void;
  signal?: AbortSignal;
}

/** The port to ffmpeg and ffprobe. Errors are JobErrors; no process outlives its call. */
export interface Media {
  /** @see probe in probe.ts */
  probe: (file: string, options?: ProbeOptions) => Promise<VideoFacts>;
  /** @see split in split.ts */
  split: (file: string, options: SplitOptions) => AsyncGenerator<Buffer>;
  /** @see findChunks in chunks.ts */
  findChunks: (file: string, facts: VideoFacts, most: number) => Promise<Chunk[]>;
  /** @see splitChunk in split.ts */
  splitChunk: (request: SplitChunkRequest) => AsyncGenerator<Buffer>;
  /** @see stitch in stitch.ts */
  stitch: (request: StitchRequest) => Promise<void>;
  /** @see encodeSegment in segments.ts */
  encodeSegment: (request: SegmentRequest) => Promise<void>;
  /** @see join in segments.ts */
  join: (request: JoinRequest) => Promise<void>;
  /** @see compare in compare.ts */
  compare: (request: CompareRequest) => Promise<Comparison>;
  /** @see contactSheet in contact-sheet.ts */
  contactSheet: (pairs: Pair[], output: string) => Promise<void>;
}

/**
 * @param confinement words in front of the programs that take rights from them
 * @param environment all that the programs get of it
 */
export function createMedia(
  paths: FfmpegPaths,
  {
    limits = readMediaLimits({}),
    environment = {},
    confinement = [],
  }: { limits?: MediaLimits; environment?: NodeJS.ProcessEnv; confinement?: string[] } = {},
): Media {
  const tools = {
    ffmpeg: { path: paths.ffmpeg, confinement, environment, limits },
    ffprobe: { path: paths.ffprobe, confinement, environment, limits },
  };
  const probeFile: Media['probe'] = (file, options = {}) =>
    probe(tools.ffprobe, file, { ...options, name: options.name ?? path.basename(file) });
  return {
    probe: probeFile,
    async *split(file, { name = path.basename(file), ...options }) {
      const facts = options.facts ?? (await probeFile(file, { ...options, name }));
      yield* split(tools.ffmpeg, { ...options, file, name, facts });
    },
    findChunks: (file, facts, most) => findChunks(tools.ffprobe, file, facts, most),
    splitChunk: (request) => splitChunk(tools.ffmpeg, request),
    encodeSegment: (request) => encodeSegment(tools.ffmpeg, request),
    join: (request) => join(tools.ffmpeg, request),
    stitch: (request) => stitch(tools.ffmpeg, request),
    compare: (request) => compare(tools, request),
    contactSheet: (pairs, output) => contactSheet(tools, pairs, output),
  };
}
