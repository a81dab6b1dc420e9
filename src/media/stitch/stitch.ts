import { rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { JobError } from '../../job/failure.js';
import { VIDEO_ENDINGS } from '../../job/items/formats.js';
import { ffmpegFailure, local, type Program, QUIET, run, start, UNTRUSTED, words } from '../ffmpeg/process.js';
import { endOf, microseconds, secondsOf, type Timetable } from '../timetable.js';
import { type Container, containerOf, isMatroska, isMp4 } from './container.js';
import { matroska } from './matroska.js';
import { setEnd } from './matroska-end.js';
import { setDurations } from './mp4-durations.js';
import {
  encodeArguments,
  type EncodeRequest,
  joinArguments,
  type JoinRequest,
  segmentArguments,
  type StitchRequest,
} from './stitch-arguments.js';

/**
 * Writes the frames, each at its own time, with everything else that the source has: sound tracks untouched and at the same distance from
 * the picture, and subtitles, chapters and metadata as far as the container holds them. H.264 in 4:2:0 has no odd sizes, so an odd width or
 * height grows by one: the last column or row is repeated.
 * @param most seconds of the source to read, when that is not all of it
 * @throws JobError `user` when ffmpeg cannot write the output or loses a frame; whatever `frames` throws.
 */
export async function stitch(ffmpeg: Program, request: StitchRequest, most?: number): Promise<void> {
  const container = containerFor(request.output);
  await withCovers(ffmpeg, request, container, (covers) =>
    writeWhole(request.output, async (part) => {
      await encode(ffmpeg, request, encodeArguments(request, container, { covers, most }), part);
      await setTimes(part, container, request.timetable);
    }),
  );
}

/**
 * Encodes a part of the frames, from a key frame on, for `join` to put together. The timetable is that of this part.
 * @throws JobError `user` and others like `stitch`
 */
export async function encodeSegment(ffmpeg: Program, request: EncodeRequest): Promise<void> {
  // Both keep the source's ticks exactly; only MOV holds FFV1, and only MP4 holds VP9.
  const muxer = request.codec === 'vp9' ? 'mp4' : 'mov';
  await writeWhole(request.output, async (part) => {
    await encode(ffmpeg, request, segmentArguments(request, muxer), part);
    const { first, last, end } = shown(request.timetable);
    await setDurations(part, { first: 0, last: last - first, end: end - first });
  });
}

/**
 * Puts the segments one behind another without encoding them again, and adds all that `stitch` takes from the source.
 * @throws JobError `user` when ffmpeg cannot write the output
 */
export async function join(ffmpeg: Program, request: JoinRequest): Promise<void> {
  const { output, timetable } = request;
  const container = containerFor(output);
  const name = path.basename(output);
  const list = `${output}.txt`;
  try {
    await writeFile(list, concatScript(request));
    await withCovers(ffmpeg, request, container, (covers) =>
      writeWhole(output, async (part) => {
        const end = await run(ffmpeg, [...joinArguments(request, container, list, covers), ...target(ffmpeg, part)]);
        if (end.code !== 0) throw ffmpegFailure(ffmpeg, end, `write ${name}`);
        await checkSize(ffmpeg, part, name);
        await setTimes(part, container, timetable);
      }),
    );
  } finally {
    await rm(list, { force: true });
  }
}

/** A script for ffmpeg's concat reader. The reader adds up the lengths, so each is the difference of two rounded times. */
function concatScript({ segments, timetable }: JoinRequest): string {
  const micros = (ticks: number) => Math.round(secondsOf(timetable.timeBase, ticks) * 1e6);
  const ends = [...segments.slice(1).map(({ first }) => first), (timetable.times.at(-1) ?? 0) + timetable.lastTicks];
  const lines = segments.flatMap(({ file, first }, index) => [
    `file '${file.replaceAll("'", String.raw`'\''`)}'`,
    `duration ${((micros(ends[index] ?? first) - micros(first)) / 1e6).toFixed(6)}`,
  ]);
  return ['ffconcat version 1.0', ...lines, ''].join('\n');
}

function containerFor(output: string): Container {
  const container = containerOf(output);
  if (!container) throw new JobError('user', `${path.basename(output)} must end in ${VIDEO_ENDINGS.join(', ')}.`);
  return container;
}

/** Lets `write` have the cover pictures as files where the container keeps them so: Matroska knows them only as attached files. */
async function withCovers(
  ffmpeg: Program,
  { source, output, others }: Pick<StitchRequest, 'source' | 'output' | 'others'>,
  container: Container,
  write: (covers: string[]) => Promise<void>,
): Promise<void> {
  const covers = isMatroska(container) ? others.streams.filter(({ kind }) => kind === 'cover') : [];
  const files = covers.map(({ index }) => `${output}.cover-${index}`);
  try {
    for (const [position, { index }] of covers.entries()) {
      const picture = [
        '-map',
        `0:${index}`,
        ...words('-c copy -frames:v 1 -f image2pipe'),
        local(files[position] ?? ''),
      ];
      const end = await run(ffmpeg, [...QUIET, '-nostdin', '-y', ...UNTRUSTED, '-i', local(source ?? ''), ...picture]);
      if (end.code !== 0) throw ffmpegFailure(ffmpeg, end, 'read the cover picture');
    }
    await write(files);
  } finally {
    await Promise.all(files.map((file) => rm(file, { force: true })));
  }
}

/** Lets `write` make the file under another name first, so that it is there whole or not at all. */
async function writeWhole(output: string, write: (part: string) => Promise<void>): Promise<void> {
  const part = `${output}.part`;
  try {
    await write(part);
    await rename(part, output);
  } finally {
    await rm(part, { force: true });
  }
}

/** When the first frame is shown, when the last one, and until when, in seconds after the earliest stream of the source starts. */
function shown(timetable: Timetable) {
  const seconds = (ticks = 0) => secondsOf(timetable.timeBase, ticks);
  const { times } = timetable;
  return { first: seconds(times[0]), last: seconds(times.at(-1)), end: endOf(timetable) };
}

/** Corrects when ffmpeg says that the first picture is shown, and until when the last one is. */
async function setTimes(file: string, container: Container, timetable: Timetable): Promise<void> {
  if (isMp4(container)) await setDurations(file, shown(timetable));
  else await setEnd(file, endOf(timetable));
}

/** Encodes all frames, or throws. */
async function encode(ffmpeg: Program, request: EncodeRequest, options: string[], part: string): Promise<void> {
  const name = path.basename(request.output);
  const expected = request.timetable.times.length;
  const running = start(ffmpeg, [...options, ...target(ffmpeg, part)]);
  try {
    const written = countWritten(running.stdout);
    const given = await feed(running.stdin, request, name);
    const end = await running.ended;
    if (given === 0) throw new JobError('user', `There is no frame to write to ${name}.`);
    if (end.code === 0) await checkSize(ffmpeg, part, name);
    if (end.code !== 0 || given === null) throw ffmpegFailure(ffmpeg, end, `write ${name}`);
    if (given !== expected) throw new JobError('user', `${name} got ${given} of its ${expected} frames.`);
    if (written() !== given) throw new JobError('user', `ffmpeg wrote ${written()} of ${given} frames to ${name}.`);
  } finally {
    await running.stop();
  }
}

/** Where ffmpeg writes, and how many bytes at most. */
const target = ({ limits }: Program, part: string) => ['-fs', String(limits.outputBytes), local(part)];

/** @throws JobError `user` when the file grew too large: ffmpeg then stops writing without a word. */
async function checkSize({ limits }: Program, file: string, name: string): Promise<void> {
  const { size } = await stat(file);
  if (size >= limits.outputBytes)
    throw new JobError(
      'user',
      `${name} is larger than ${limits.outputBytes} bytes; lower its quality or raise MOST_OUTPUT_BYTES.`,
    );
}

/**
 * Gives the frames to ffmpeg as fast as it takes them. A frame that is larger than what waits in the pipe is written when the next one is
 * asked for.
 * @returns how many it gave; null when ffmpeg ended before the last one, and how it ended says why
 */
async function feed(
  stdin: Writable,
  { frames, format, facts, shape, timetable }: EncodeRequest,
  name: string,
): Promise<number | null> {
  const frameSeconds = secondsOf(timetable.timeBase, timetable.frameTicks);
  const expected = timetable.times.length;
  let given = 0;
  let sourceFailed = false;
  async function* counted() {
    try {
      for await (const frame of frames) {
        given += 1;
        if (given > expected) throw new JobError('user', `${name} got more than its ${expected} frames.`);
        yield frame;
      }
    } catch (error) {
      sourceFailed = true;
      throw error;
    }
  }
  try {
    await pipeline(matroska(counted(), format, microseconds(timetable), { ...facts, ...shape, frameSeconds }), stdin);
    return given;
  } catch (error) {
    if (sourceFailed) throw error;
    return null;
  }
}

/** Follows ffmpeg's report; the function returned gives the number of frames it last reported as written. */
function countWritten(progress: Readable): () => number {
  let tail = '';
  progress.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-4096);
  });
  return () => Number(/.*^frame=\s*(\d+)$/ms.exec(tail)?.[1] ?? 0);
}
