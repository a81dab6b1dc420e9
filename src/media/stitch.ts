import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { JobError } from '../job/failure.js';
import { local, QUIET, UNTRUSTED } from './arguments.js';
import { colourTags, matrixOf, rangeOf } from './colour.js';
import type { FrameFormat, VideoFacts } from './facts.js';
import { ffmpegFailure } from './failure.js';
import { start } from './process.js';

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

/** Measured on painted frames: above 40 dB against what 4:2:0 can hold, above 35 dB against RGB in 4:4:4. */
const QUALITY = { yuv420p: '16', yuv444p: '9' };

/**
 * Writes the frames as H.264 at the source's frame rate, with all its audio streams copied untouched and the same offset between
 * picture and sound. An odd width or height, which H.264 4:2:0 cannot hold, grows by one: the last column or row is repeated.
 * @throws JobError `user` when ffmpeg cannot write the output or loses a frame, whatever `frames` throws, the signal's reason after an abort.
 */
export async function stitch(ffmpeg: string, request: StitchRequest): Promise<void> {
  const { output, signal } = request;
  const muxer = MUXERS[path.extname(output).toLowerCase()];
  if (!muxer) throw new JobError('user', `${path.basename(output)} must end in ${Object.keys(MUXERS).join(', ')}.`);
  const part = `${output}.part`;
  const running = start(ffmpeg, stitchArguments(request, muxer, part), signal);
  try {
    const written = countWritten(running.stdout);
    const given = await feed(running.stdin, request.frames);
    const end = await running.ended;
    signal?.throwIfAborted();
    if (given === 0) throw new JobError('user', `There is no frame to write to ${path.basename(output)}.`);
    if (end.code !== 0 || given === null) throw ffmpegFailure(ffmpeg, end, `write ${path.basename(output)}`);
    if (written() !== given)
      throw new JobError('user', `ffmpeg wrote ${written()} of ${given} frames to ${path.basename(output)}.`);
    await rename(part, output);
  } finally {
    running.kill();
    await running.ended;
    await rm(part, { force: true });
  }
}

function stitchArguments(
  { format, source, facts, pixelFormat = 'yuv420p' }: StitchRequest,
  muxer: string,
  part: string,
): string[] {
  const decoder = format === 'png' ? 'png' : 'mjpeg';
  const rate = `${facts.frameRate.num}/${facts.frameRate.den}`;
  // ffmpeg moves each input so that its earliest stream starts at zero; the offset puts the picture back behind the sound.
  const pictures = [
    '-itsoffset',
    String(facts.startTime),
    '-f',
    'image2pipe',
    '-c:v',
    decoder,
    '-framerate',
    rate,
    '-i',
    'pipe:0',
  ];
  const sound = [
    ...UNTRUSTED,
    '-i',
    local(source),
    '-map',
    '0:v:0',
    '-map',
    '1:a?',
    '-map_metadata',
    '1',
    '-c:a',
    'copy',
  ];
  const video = [
    '-vsync',
    '0',
    '-vf',
    toYuv(facts, pixelFormat),
    '-c:v',
    'libx264',
    '-preset',
    'veryfast',
    '-crf',
    QUALITY[pixelFormat],
  ];
  // -strict: Opus and FLAC in MP4 count as experimental in the npm build. The queue holds sound until the first picture is encoded.
  const container = ['-strict', '-2', '-max_muxing_queue_size', '4096', '-movflags', '+faststart', '-f', muxer];
  // -xerror: a frame that cannot be decoded would otherwise be left out without a word.
  const reporting = ['-nostats', '-progress', 'pipe:1', '-xerror', '-y'];
  return [...QUIET, ...reporting, ...pictures, ...sound, ...video, ...colourTags(facts), ...container, local(part)];
}

function toYuv(facts: VideoFacts, pixelFormat: 'yuv420p' | 'yuv444p'): string {
  const { width, height, sampleAspect: aspect } = facts;
  const repeated = `format=yuv444p,fillborders=right=${width % 2}:bottom=${height % 2}:mode=smear`;
  return [
    'pad=ceil(iw/2)*2:ceil(ih/2)*2',
    `scale=out_color_matrix=${matrixOf(facts.colour)}:out_range=${rangeOf(facts)}`,
    ...(width % 2 || height % 2 ? [repeated] : []),
    `format=${pixelFormat}`,
    `setsar=${aspect.num}/${aspect.den}`,
  ].join(',');
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
