import { z } from 'zod';
import { JobError } from '../../job/failure.js';
import { type Rational, rounded, secondsOfClock, type SoundFacts, type VideoFacts } from '../facts.js';
import { type FrameSample, hasFields, tellsFields } from './frame-samples.js';
import type { StreamTiming, Timing } from './packets.js';

const text = z.string().optional();

const streamSchema = z.object({
  index: z.number(),
  codec_type: text,
  codec_name: text,
  width: z.number().optional(),
  height: z.number().optional(),
  pix_fmt: text,
  sample_aspect_ratio: text,
  time_base: text,
  start_time: text,
  duration: text,
  r_frame_rate: text,
  avg_frame_rate: text,
  field_order: text,
  color_range: text,
  color_space: text,
  color_transfer: text,
  color_primaries: text,
  disposition: z.object({ default: z.number().optional(), attached_pic: z.number().optional() }).optional(),
  tags: z.object({ rotate: text, alpha_mode: text, DURATION: text }).optional(),
  side_data_list: z.array(z.object({ rotation: z.number().optional() })).optional(),
});

/** What `ffprobe -show_format -show_streams -of json` prints. */
export const fileSchema = z.object({
  format: z.object({ format_name: z.string(), start_time: text, duration: text }),
  streams: z.array(streamSchema),
});

type Stream = z.infer<typeof streamSchema>;
type FileInfo = z.infer<typeof fileSchema>;

/**
 * The first video stream marked as default, otherwise the first one. Cover pictures do not count.
 * @throws JobError `user` when there is none.
 */
export function chooseStream({ streams }: FileInfo, name: string): Stream {
  const videos = videosOf(streams);
  const stream = videos.find(({ disposition }) => disposition?.default) ?? videos[0];
  if (stream) return stream;
  const what = streams.some(({ codec_type }) => codec_type === 'audio') ? 'only sound' : 'no video stream';
  throw new JobError('user', `${name} holds ${what}; give a file with pictures in it.`);
}

const videosOf = (streams: Stream[]) =>
  streams.filter(({ codec_type, disposition }) => codec_type === 'video' && !disposition?.attached_pic);

export function describeSound({ format, streams }: FileInfo): SoundFacts {
  return {
    container: format.format_name,
    fileStart: Number(format.start_time) || 0,
    durationSeconds: Number(format.duration) || 0,
    audioStreams: streams.filter(({ codec_type }) => codec_type === 'audio').length,
  };
}

/** What the header of a stream says about its times. */
export const headerTiming = (stream: Stream, { format }: FileInfo): StreamTiming => ({
  timeBase: timeBaseOf(stream),
  baseRate: parseRational(stream.r_frame_rate),
  averageRate: parseRational(stream.avg_frame_rate),
  end: endOf(stream, format.format_name),
});

/** MP4 says how long a track is, and most Matroska files by a tag; the others only claim it, or mean the sum of their packets. */
function endOf({ start_time, duration, tags }: Stream, container: string): number {
  if (container.startsWith('mov')) return Number(start_time) + Number(duration);
  return container.startsWith('matroska') ? secondsOfClock(tags?.DURATION) : NaN;
}

const timeBaseOf = ({ time_base }: Stream) => parseRational(time_base) ?? { num: 1, den: 1000 };

/** `30000/1001` as a fraction; null for `0/0` and the like. */
function parseRational(fraction: string | undefined): Rational | null {
  const match = /^(\d+)[/:](\d+)$/.exec(fraction ?? '');
  const [num, den] = [Number(match?.[1]), Number(match?.[2])];
  return num > 0 && den > 0 ? { num, den } : null;
}

/**
 * Says what ffprobe printed in the words of the app.
 * @param timing null when the stream has no packet
 * @param samples frames from all over the video
 * @throws JobError `user` for a video stream without a size or without a frame.
 */
export function describe(
  info: FileInfo,
  stream: Stream,
  timing: Timing | null,
  samples: FrameSample[],
  damaged: boolean,
  name: string,
): VideoFacts {
  if (!timing) throw new JobError('user', `${name} has a video stream without a single frame; export it again.`);
  if (!stream.width || !stream.height)
    throw new JobError('user', `${name} does not say how large its pictures are; export it again.`);
  const { firstSeconds, ...shown } = timing;
  const aspect = parseRational(stream.sample_aspect_ratio) ?? { num: 1, den: 1 };
  const onItsSide = Math.abs(rotationOf(stream)) % 180 === 90;
  // Unknown in a transport stream of one picture.
  const fileStart = Number(info.format.start_time ?? firstSeconds) || 0;
  return {
    streamIndex: stream.index,
    container: info.format.format_name,
    codec: stream.codec_name ?? 'unknown',
    pixelFormat: hasAlphaBeside(stream) ? 'yuva420p' : (stream.pix_fmt ?? 'unknown'),
    width: onItsSide ? stream.height : stream.width,
    height: onItsSide ? stream.width : stream.height,
    sampleAspect: onItsSide ? { num: aspect.den, den: aspect.num } : aspect,
    ...shown,
    timeBase: timeBaseOf(stream),
    startTime: Math.max(0, rounded(firstSeconds - fileStart)),
    fileStart,
    audioStreams: info.streams.filter(({ codec_type }) => codec_type === 'audio').length,
    ...pictureOf(stream, samples),
    changing: changesOf(samples).length > 0,
    damaged,
    warnings: warningsOf(info, stream, samples),
  };
}

/** Degrees. Newer files keep them in a display matrix, older ones in a tag. */
function rotationOf({ side_data_list, tags }: Stream): number {
  const matrix = side_data_list?.find(({ rotation }) => rotation !== undefined)?.rotation;
  return matrix ?? (Number(tags?.rotate) || 0);
}

/** Pixel formats of ffmpeg with an alpha plane. */
const ALPHA = /^(yuva|gbrap|ya\d|rgba|bgra|argb|abgr)/;

/** WebM has transparency as a second picture beside each, of which ffprobe says nothing; see split.ts. */
const hasAlphaBeside = ({ codec_name, pix_fmt, tags }: Stream) =>
  tags?.alpha_mode === '1' && /^vp[89]$/.test(codec_name ?? '') && pix_fmt === 'yuv420p';

function pictureOf(
  stream: Stream,
  samples: FrameSample[],
): Pick<VideoFacts, 'colour' | 'interlaced' | 'fieldOrder' | 'hdr' | 'alpha'> {
  const transfer = stream.color_transfer;
  const hdr = transfer === 'smpte2084' || transfer === 'arib-std-b67' ? transfer : null;
  const own = {
    range: said(stream.color_range),
    matrix: said(stream.color_space),
    primaries: said(stream.color_primaries),
    transfer: said(transfer),
  };
  const framesTell = hasFields(samples, stream.codec_name);
  const fieldOrder = framesTell || !tellsFields(stream.codec_name) ? null : shownFirst(stream.field_order);
  return {
    colour: hdr ? { range: 'tv', matrix: 'bt709', primaries: 'bt709', transfer: 'bt709' } : own,
    interlaced: framesTell || fieldOrder !== null,
    fieldOrder,
    hdr,
    alpha: ALPHA.test(stream.pix_fmt ?? '') || hasAlphaBeside(stream),
  };
}

/** The first of ffprobe's two letters says which field comes first; that is how FFmpeg itself writes and reads both. */
const shownFirst = (fieldOrder: string | undefined) =>
  (({ tt: 'tff', tb: 'tff', bb: 'bff', bt: 'bff' }) as const)[fieldOrder ?? ''] ?? null;

const said = (value: string | undefined) => (!value || value === 'unknown' || value === 'reserved' ? null : value);

function warningsOf({ streams }: FileInfo, stream: Stream, samples: FrameSample[]): string[] {
  const videos = videosOf(streams);
  const { interlaced, hdr, alpha } = pictureOf(stream, samples);
  return [
    ...(videos.length > 1 ? [`Of ${videos.length} video streams only stream ${stream.index} is painted.`] : []),
    ...(interlaced ? [INTERLACED] : []),
    ...(stream.codec_name === 'hevc' && samples.some(({ interlaced_frame }) => interlaced_frame)
      ? [SINGLE_FIELDS]
      : []),
    ...(alpha ? ['The video has transparency; it is flattened on black.'] : []),
    ...(hdr ? ['The video is HDR; it is tone-mapped to standard range (BT.709) before it is painted.'] : []),
    ...changesOf(samples),
  ];
}

const INTERLACED =
  'The video is interlaced: its frames are woven from the lines of two moments, so each is deinterlaced to one moment before it is painted.';

const SINGLE_FIELDS =
  'The video is interlaced: each of its pictures has only every other line of a frame, and is painted as it is.';

/** What does not stay the same from frame to frame, one sentence each. */
function changesOf(samples: FrameSample[]): string[] {
  const kinds = (valueOf: (sample: FrameSample) => (string | undefined)[]) => {
    const texts = samples.map((sample) =>
      valueOf(sample)
        .filter((value) => said(value))
        .join(' '),
    );
    const different = [...new Set(texts)].filter((kind) => kind !== '');
    return { first: different[0], list: different.join(', '), change: different.length > 1 };
  };
  const size = kinds(({ width, height }) => [`${width} × ${height}`]);
  const pixels = kinds(({ pix_fmt }) => [pix_fmt]);
  const colour = kinds((sample) => [
    sample.color_range,
    sample.color_space,
    sample.color_primaries,
    sample.color_transfer,
  ]);
  return [
    ...(size.change
      ? [`The pictures change their size in mid-stream (${size.list}); all are scaled to ${size.first}.`]
      : []),
    ...(pixels.change
      ? [`The kind of the pixels changes in mid-stream (${pixels.list}); their values are read as ${pixels.first}.`]
      : []),
    ...(colour.change
      ? [`The colour tags change in mid-stream (${colour.list}); all colours are read as ${colour.first}.`]
      : []),
  ];
}
