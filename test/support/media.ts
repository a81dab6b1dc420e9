import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { DEFAULT_FRAME_FORMAT, type FrameFormat } from '../../src/job/items/formats.js';
import { readPpmHeader } from '../../src/job/items/ppm.js';
import {
  createMedia,
  findFfmpeg,
  type Media,
  type OtherStreams,
  type StitchRequest,
  type Timetable,
} from '../../src/media/media.js';

export const sample = path.resolve(import.meta.dirname, '../../samples/coast.mp4');

const isSystem = process.env.TESTED_FFMPEG === 'system';

/** The FFmpeg build that the tests run with, as the project of the test runner chooses it. */
export const builds = [isSystem ? '/usr/bin' : 'npm'].map((name) => {
  const tools = findFfmpeg({}, name === 'npm' ? '' : name);
  return { name, tools, media: createMedia(tools) };
});

export type Build = (typeof builds)[number];

/**
 * All cases of a test with the FFmpeg from npm. With the system's, which takes a tenth of a second to start and is started ten times for a
 * round trip, only the first ones: those take the ways at which the builds can differ, the others what the project does with the answers.
 */
export const some = <const T>(cases: readonly T[], ofSystem = 1): readonly T[] =>
  isSystem ? cases.slice(0, ofSystem) : cases;

// See process.ts: the npm package's ffprobe crashes on transport streams when it finds character sets.
const BIG = { maxBuffer: 1 << 30, encoding: 'utf8', env: { GCONV_PATH: '/dev/null' } } as const;
const QUIET = ['-nostdin', '-hide_banner', '-loglevel', 'error'];

const packetsSchema = z.object({
  packets: z.array(z.object({ stream_index: z.number(), size: z.string(), data_hash: z.string() })),
});

/** The hash of every audio packet, a list for each audio stream. */
export function packetHashes({ tools }: Build, file: string): string[][] {
  const what = ['-select_streams', 'a', '-show_data_hash', 'md5', '-show_packets', '-of', 'json'];
  const { packets } = packetsSchema.parse(JSON.parse(execFileSync(tools.ffprobe, ['-v', 'error', ...what, file], BIG)));
  const streams = new Set(packets.map(({ stream_index }) => stream_index));
  return [...streams].map((stream) =>
    packets.filter(({ stream_index }) => stream_index === stream).map(({ size, data_hash }) => `${size} ${data_hash}`),
  );
}

/** Seconds at which the first packet of a stream such as `v:0` is shown. */
export function startOf({ tools }: Build, file: string, stream: string): number {
  const what = ['-select_streams', stream, '-show_entries', 'stream=start_time', '-of', 'csv=p=0'];
  return Number(execFileSync(tools.ffprobe, ['-v', 'error', ...what, file], BIG));
}

/** PSNR of each frame of a video against the pictures of a folder (`%d.png`), both reduced to `filter`'s pixel format. */
export function psnrPerFrame({ tools }: Build, file: string, pictures: string, filter: string): number[] {
  const graph = `[0:v]${filter}[a];[1:v]${filter}[b];[a][b]psnr=stats_file=-`;
  const inputs = ['-i', file, '-start_number', '0', '-i', path.join(pictures, '%d.png')];
  const text = execFileSync(
    tools.ffmpeg,
    [...QUIET, ...inputs, '-vsync', '0', '-lavfi', graph, '-f', 'null', '-'],
    BIG,
  );
  return [...text.matchAll(/psnr_avg:(\S+)/g)].map((match) => (match[1] === 'inf' ? Infinity : Number(match[1])));
}

/** A filter for `decodeRgb`: swscale in a hurry is off by up to a level and a half, at odd sizes always the same way. */
export const EXACT = 'scale=flags=bicubic+accurate_rnd+full_chroma_int,format=rgb24';

/** All frames as RGB24 bytes, read with the matrix that the file's own tags ask for, or as `filter` does. */
export function decodeRgb({ tools }: Build, file: string, filter = 'null'): Buffer {
  const what = ['-map', '0:v:0', '-vsync', '0', '-vf', filter, '-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'];
  return execFileSync(tools.ffmpeg, [...QUIET, '-i', file, ...what], { maxBuffer: 1 << 30 });
}

/** Mean of `b - a` per channel and PSNR in dB, over every fifth pixel. */
export function compareRgb(a: Buffer, b: Buffer): { psnr: number; shift: number[] } {
  const sums = [0, 0, 0];
  let [squares, pixels] = [0, 0];
  for (let i = 0; i < a.length; i += 15) {
    pixels += 1;
    for (const channel of [0, 1, 2]) {
      const difference = (b[i + channel] ?? 0) - (a[i + channel] ?? 0);
      sums[channel] = (sums[channel] ?? 0) + difference;
      squares += difference * difference;
    }
  }
  return { psnr: 10 * Math.log10((255 * 255 * 3 * pixels) / squares), shift: sums.map((sum) => sum / pixels) };
}

/** Process ids of the running ffmpeg and ffprobe that this process started (Linux only). */
export function runningTools(): number[] {
  const children = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return children.map(Number).filter((pid) => {
    try {
      const [, name = '', state = '', parent = ''] =
        /^\d+ \((.*)\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      return Number(parent) === process.pid && /^ff(mpeg|probe)/.test(name) && state !== 'Z';
    } catch {
      // It ended while we looked.
      return false;
    }
  });
}

/** All frames of a video, with what is known of it and the time of each frame. */
export async function splitWhole(
  media: Media,
  source: string,
  { format = DEFAULT_FRAME_FORMAT, keep = false }: { format?: FrameFormat; keep?: boolean } = {},
) {
  const facts = await media.probe(source, { keep });
  const seen: Timetable[] = [];
  const onTimetable = (timetable: Timetable) => void seen.push(timetable);
  const frames = await collect(media.split(source, { format, facts, keep, onTimetable }));
  const [timetable] = seen;
  if (!timetable) throw new Error('there is no timetable');
  return { facts, frames, timetable };
}

type Whole = Awaited<ReturnType<typeof splitWhole>>;

/** Splits a video and stitches its frames, as they are, into a new one: H.264 unless told otherwise. */
export async function roundTrip(
  media: Media,
  source: string,
  output: string,
  { format = DEFAULT_FRAME_FORMAT, keep, ...choice }: Partial<StitchRequest> & { keep?: boolean } = {},
) {
  return stitchWhole(media, source, output, await splitWhole(media, source, { format, keep }), { format, ...choice });
}

/** Stitches the frames of a video, as they are, into a new one: H.264 unless told otherwise. */
export async function stitchWhole(
  media: Media,
  source: string,
  output: string,
  whole: Whole,
  { format = DEFAULT_FRAME_FORMAT, codec = 'h264', ...choice }: Partial<StitchRequest> = {},
) {
  const { facts, timetable } = whole;
  const { others, warnings } = await media.rehearse({ source, facts, output, codec });
  const frames = framesOf(whole.frames.slice(0, timetable.times.length));
  await media.stitch({ frames, format, source, facts, timetable, others, output, codec, ...choice });
  return { ...whole, others, warnings };
}

/** For outputs that take nothing from their source but the pictures. */
export const PICTURE_ONLY: OtherStreams = { streams: [], pictureTags: [], anyTags: false };

/** The pixels of a frame as it is split by default. */
export const rgbOf = (frame: Buffer = Buffer.alloc(0)) => frame.subarray(readPpmHeader(frame)?.pixelsAt);

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export async function* framesOf(frames: Buffer[]): AsyncGenerator<Buffer> {
  yield* frames;
}

/** Seconds at which each picture is shown, after the earliest stream of the file starts, by ffprobe's packets. */
export function shownTimes({ tools }: Build, file: string): number[] {
  const ask = (...what: string[]) => execFileSync(tools.ffprobe, ['-v', 'error', ...what, '-of', 'csv=p=0', file], BIG);
  const start = Number(ask('-show_entries', 'format=start_time')) || 0;
  const lines = ask('-select_streams', 'v:0', '-show_entries', 'packet=pts_time,flags').split('\n');
  const shown = lines.filter((line) => line !== '' && !/^[^,]*,[^,]*D/.test(line));
  return shown.map((line) => Number(line.split(',')[0]) - start).toSorted((a, b) => a - b);
}

/** Whether a player can begin, or jump, before it has the whole file: MP4 and MOV by an index in front, Matroska by a list of places. */
export function isIndexed(file: string): boolean {
  const bytes = readFileSync(file);
  const cues = Buffer.from('1c53bb6b', 'hex');
  // At the beginning Matroska says where its list of places is.
  if (/\.(mkv|webm)$/.test(file)) return bytes.indexOf(cues) < 4096 && bytes.lastIndexOf(cues) > bytes.indexOf(cues);
  const boxes: string[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at))
    boxes.push(bytes.toString('latin1', at + 4, at + 8));
  return boxes.includes('moov') && boxes.indexOf('moov') < boxes.indexOf('mdat');
}
