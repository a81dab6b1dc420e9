import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { JobError } from '../job/failure.js';
import type { FrameFormat, VideoFacts } from './facts.js';
import { ffmpegFailure } from './failure.js';
import { run, start } from './process.js';
import { encodeArguments, joinArguments } from './stitch-arguments.js';

export interface StitchRequest {
  /** Pictures of one size, all of `format`, in order. */
  frames: AsyncIterable<Buffer>;
  format: FrameFormat;
  /** The video that the frames came from: its sound and its tags are copied. */
  source: string;
  /** What `probe` found in `source`. */
  facts: VideoFacts;
  /** Ends in .mp4, .m4v, .mov or .mkv; replaced when it exists, and only once the new file is whole. */
  output: string;
  /** `yuv420p` (default) plays everywhere but halves the resolution of colour; `yuv444p` keeps it and plays on computers. */
  pixelFormat?: 'yuv420p' | 'yuv444p';
  signal?: AbortSignal;
}

const MUXERS: Record<string, string> = { '.mp4': 'mp4', '.m4v': 'mp4', '.mov': 'mov', '.mkv': 'matroska' };

/**
 * Writes the frames as H.264 at the source's frame rate, with all its audio streams copied untouched and the same offset between
 * picture and sound. An odd width or height, which H.264 4:2:0 cannot hold, grows by one: the last column or row is repeated.
 * @throws JobError `user` when ffmpeg cannot write the output or loses a frame, whatever `frames` throws, the signal's reason after an abort.
 */
export async function stitch(ffmpeg: string, request: StitchRequest): Promise<void> {
  const { output, facts } = request;
  const muxer = MUXERS[path.extname(output).toLowerCase()];
  const name = path.basename(output);
  if (!muxer) throw new JobError('user', `${name} must end in ${Object.keys(MUXERS).join(', ')}.`);
  const [part, pictures] = [`${output}.part`, `${output}.pictures.part`];
  try {
    if (facts.startTime > 0) {
      // An encoder counts in frames, so it cannot start between two; a track that is encoded already can.
      await encode(ffmpeg, request, encodeArguments(request, 'mp4', pictures, false));
      const end = await run(ffmpeg, joinArguments(pictures, request, muxer, part), request.signal);
      if (end.code !== 0) throw ffmpegFailure(ffmpeg, end, `add the sound to ${name}`);
    } else {
      await encode(ffmpeg, request, encodeArguments(request, muxer, part, true));
    }
    await rename(part, output);
  } finally {
    await Promise.all([part, pictures].map((file) => rm(file, { force: true })));
  }
}

/** Encodes all frames, or throws. */
async function encode(ffmpeg: string, { frames, output, signal }: StitchRequest, options: string[]): Promise<void> {
  const name = path.basename(output);
  const running = start(ffmpeg, options, signal);
  try {
    const written = countWritten(running.stdout);
    const given = await feed(running.stdin, frames);
    const end = await running.ended;
    signal?.throwIfAborted();
    if (given === 0) throw new JobError('user', `There is no frame to write to ${name}.`);
    if (end.code !== 0 || given === null) throw ffmpegFailure(ffmpeg, end, `write ${name}`);
    if (written() !== given) throw new JobError('user', `ffmpeg wrote ${written()} of ${given} frames to ${name}.`);
  } finally {
    running.kill();
    await running.ended;
  }
}

/** Gives the frames to ffmpeg as fast as it takes them. Null when ffmpeg ended before the last one: how it ended says why. */
async function feed(stdin: Writable, frames: AsyncIterable<Buffer>): Promise<number | null> {
  let given = 0;
  let sourceFailed = false;
  async function* counted() {
    try {
      for await (const frame of frames) {
        given += 1;
        yield frame;
      }
    } catch (error) {
      sourceFailed = true;
      throw error;
    }
  }
  try {
    await pipeline(counted(), stdin);
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
