import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { counted, JobError } from '../../job/failure.js';
import { toRgb } from '../colour.js';
import type { FrameFormat } from '../../job/items/formats.js';
import type { FrameMemory } from '../../job/items/frame-memory.js';
import type { VideoFacts } from '../facts.js';
import {
  BROKEN,
  ffmpegFailure,
  local,
  reasonIn,
  type Program,
  start,
  TALKING,
  UNTRUSTED,
  words,
} from '../ffmpeg/process.js';
import { tellsFields } from '../probe/frame-samples.js';
import { type RawTimes, tickOf, type Timetable, wholeTimetable } from '../timetable.js';
import type { Chunk } from './chunks.js';
import { cutFrames } from './frame-cutter.js';

interface DecodeRequest {
  file: string;
  /** What error messages call the file. */
  name: string;
  /** What `probe` found in the file. */
  facts: VideoFacts;
  format: FrameFormat;
  /** Where the frames go; left out: new memory each. */
  memory?: FrameMemory;
  /** Whether a file that breaks half-way ends after the frames before the break; otherwise an error follows them. */
  keep?: boolean;
}

export interface SplitRequest extends DecodeRequest {
  /** Called once, after the last frame, with the time of each. */
  onTimetable?: (timetable: Timetable, findings: Findings) => void;
}

export interface SplitChunkRequest extends Omit<DecodeRequest, 'keep'> {
  chunk: Chunk;
  /** Called once, after the last frame, with what `wholeTimetable` takes. */
  onTimes: (times: RawTimes, findings: Findings) => void;
}

/**
 * Yields every decoded frame once, upright, in the order of presentation. ffmpeg waits while the consumer is busy and is killed when the
 * consumer stops early. The times come from the decoder, not from the packets, so that there is one for each frame that comes out.
 * @throws JobError `user` when the video cannot be decoded
 */
export async function* split(ffmpeg: Program, request: SplitRequest): AsyncGenerator<Buffer> {
  const { facts, onTimetable } = request;
  yield* decode(ffmpeg, request, [], '', (times, findings, broken) =>
    onTimetable?.(wholeTimetable(times, facts, broken), findings),
  );
}

/** The same for a part of the video: it yields the frames that the whole video would yield between the two times. */
export async function* splitChunk(ffmpeg: Program, request: SplitChunkRequest): AsyncGenerator<Buffer> {
  const { from, to, seek } = request.chunk;
  // After a jump, too, times count from the start of the whole file.
  const jump = seek === null ? [] : ['-noaccurate_seek', '-ss', seek.toFixed(6)];
  const bounds = [
    ...(from === null ? [] : [`start=${from.toFixed(6)}`]),
    ...(to === null ? [] : [`end=${to.toFixed(6)}`]),
  ];
  yield* decode(
    ffmpeg,
    request,
    [...words('-copyts -start_at_zero'), ...jump],
    `trim=${bounds.join(':')},`,
    request.onTimes,
  );
}

async function* decode(
  ffmpeg: Program,
  { file, name, facts, format, memory, keep = false }: DecodeRequest,
  jump: string[],
  trim: string,
  onTimes: (times: RawTimes, findings: Findings, broken: boolean) => void,
): AsyncGenerator<Buffer> {
  // Later pictures of a stream may be larger than its header says.
  const pixels = ['-max_pixels', String(ffmpeg.limits.pixels)];
  const input = [
    ...jump,
    ...UNTRUSTED,
    ...pixels,
    ...decoder(facts),
    '-i',
    local(file),
    '-map',
    `0:${facts.streamIndex}`,
  ];
  // -vsync rather than -fps_mode: the npm build does not know the new word, and FFmpeg 5 to 7 still take the old one.
  // Frames are counted instead of timed, because encoders refuse a picture that is not later than the one before.
  const numbered = ['-vsync', '0', '-vf', `${toRgb(facts, format, trim)},settb=1/1000,setpts=N`];
  const output = [...numbered, ...words('-enc_time_base 1:1000'), ...ENCODERS[format], '-f', 'image2pipe', 'pipe:1'];
  const clock = createTimeReader();
  // Without -xerror ffmpeg would guess what a damaged frame looks like.
  const args = [...TALKING, '-nostdin', '-xerror', ...input, ...output, ...timesOutput(facts, trim)];
  const running = start(ffmpeg, args, clock.read);
  running.stdin.end();
  const kinds = kindsNamedIn(running.stderr);
  try {
    let given = 0;
    let isCut = false;
    const cutOff = () => {
      isCut = true;
    };
    for await (const frame of cutFrames(running.stdout, format, cutOff, memory)) {
      given += 1;
      if (given > ffmpeg.limits.frames)
        throw new JobError(
          'user',
          `${name} has more than ${ffmpeg.limits.frames} frames; cut it or raise MOST_FRAMES.`,
        );
      yield frame;
    }
    const end = await running.ended;
    const broken = facts.damaged || end.code !== 0;
    if (end.code !== 0 && (given === 0 || end.code === null))
      throw ffmpegFailure(ffmpeg, end, `split ${name} into frames`);
    if (broken && !keep) throw brokenAfter(name, given, end.stderr);
    if (isCut && !broken && !keep) throw new JobError('user', `ffmpeg ended in the middle of a frame of ${name}.`);
    const lost = broken ? 0 : clock.times.length - given;
    onTimes(clock.times.slice(0, given), { fields: clock.fields(), kinds: [...kinds], lost }, broken);
  } finally {
    await running.stop();
  }
}

/** FFmpeg's own decoders of VP8 and VP9 leave transparency out. */
function decoder({ alpha, codec, streamIndex }: VideoFacts): string[] {
  const name = { vp8: 'libvpx', vp9: 'libvpx-vp9' }[codec];
  return alpha && name !== undefined ? [`-c:${streamIndex}`, name] : [];
}

const brokenAfter = (name: string, frames: number, stderr: string) =>
  new JobError(
    'user',
    `${name} is damaged after its first ${frames === 1 ? 'frame' : `${frames} frames`} (${reasonIn(stderr, BROKEN)}); export it again, or set "input.onDamage" to "keep" (--on-damage keep) to score those.`,
  );

/** Twice the time, and one more for a frame of two fields; a frame with the time of the frame before must not come before it. */
const MARKED_TIME = `setpts='if(eq(PTS,PREV_INPTS),PREV_OUTPTS,2*PTS+INTERLACED)'`;

/** A second output that holds little more than the time of each frame, in the source's own ticks, and whether it has two fields. */
function timesOutput(facts: VideoFacts, trim: string): string[] {
  const { num, den } = tickOf(facts);
  const tiny = `${trim}settb=${num}/${den},${MARKED_TIME},scale=16:16:flags=neighbor,format=gray`;
  const raw = ['-enc_time_base', `${num}:${den}`, '-c:v', 'rawvideo'];
  return ['-map', `0:${facts.streamIndex}`, '-vsync', '0', '-vf', tiny, ...raw, '-f', 'framecrc', 'pipe:3'];
}

/** PNG by the cheapest deflate behind the predictor that suits it, JPEG at its best. */
export const ENCODERS: Record<FrameFormat, string[]> = {
  ppm: words('-c:v ppm'),
  png: words('-c:v png -compression_level 1 -pred up'),
  jpg: words('-c:v mjpeg -q:v 2'),
};

/** Reads the lines of ffmpeg's framecrc muxer as they come: `stream, dts, pts, duration, size, checksum`. */
function createTimeReader() {
  const times: RawTimes = [];
  let rest = '';
  let fields = 0;
  return {
    times,
    /** How many frames have two fields. */
    fields: () => fields,
    read: (text: string): void => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '' || line.startsWith('#')) continue;
        const marked = line.split(',')[2]?.trim() ?? '';
        const time = /^-?\d+$/.test(marked) ? Math.floor(Number(marked) / 2) : null;
        if (time !== null && Number(marked) !== 2 * time) fields += 1;
        times.push(time);
      }
    },
  };
}

/** Fills with size and kind of the pictures, as ffmpeg tells whenever it sets up its filters. */
function kindsNamedIn(stderr: Readable): Set<string> {
  const kinds = new Set<string>();
  createInterface({ input: stderr }).on('line', (line) => {
    const [, width, height, kind] = /input from stream .* w:(\d+) h:(\d+) pixfmt:(\w+)/.exec(line) ?? [];
    if (kind !== undefined) kinds.add(`${width} × ${height} ${kind}`);
  });
  return kinds;
}

/** What a split found out about the frames besides their times. */
export interface Findings {
  /** Frames that consist of two fields. */
  fields: number;
  /** Width, height and kind of the pictures, each once, in the order in which they came. */
  kinds: string[];
  /** Frames that came out of the decoder and were not given: the deinterlacer loses the last one before the pictures change. */
  lost: number;
}

/** Whether the frames have the size that the probe saw, and are interlaced only if it saw that; if so, none is lost. */
export function isAsProbed({ width, height, interlaced, codec }: VideoFacts, { fields, kinds }: Findings): boolean {
  const [upright, turned] = [`${width} × ${height} `, `${height} × ${width} `];
  const same = kinds.length < 2 && kinds.every((kind) => kind.startsWith(upright) || kind.startsWith(turned));
  return same && (interlaced || fields === 0 || !tellsFields(codec));
}

/** How a video is to be split again, after a split that lost frames or left them interlaced; undefined when it is as it should be. */
export function splitAgain(facts: VideoFacts, { fields, kinds, lost }: Findings): VideoFacts | undefined {
  if (facts.interlaced && lost > 0) return { ...facts, interlaced: false, fieldOrder: null };
  const late = fields > 0 && !facts.interlaced && kinds.length < 2 && tellsFields(facts.codec);
  return late ? { ...facts, interlaced: true } : undefined;
}

/**
 * What a split found out that the job's warnings do not say yet, one sentence each.
 * @param last what the video was split by in the end
 */
export function findingsWarnings(probed: VideoFacts, last: VideoFacts, { fields, kinds }: Findings): string[] {
  const part = `The video is interlaced in part: ${counted(fields, 'frame')}, woven from the lines of two moments,`;
  return [
    ...(kinds.length > 1 && !probed.changing
      ? [`The pictures change in mid-stream (${kinds.join(', ')}); all are scaled to the size of the first.`]
      : []),
    ...(last.interlaced && !probed.interlaced
      ? [`${part} ${fields === 1 ? 'was' : 'were'} deinterlaced to one moment each.`]
      : []),
    ...(!last.interlaced && fields > 0 && tellsFields(probed.codec)
      ? [`${part} ${fields === 1 ? 'is' : 'are'} not deinterlaced, because the pictures change in mid-stream.`]
      : []),
  ];
}
