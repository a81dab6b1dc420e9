import type { Quality, VideoCodec } from '../../job/items/formats.js';
import { colourTags, lightTags, pixelShape, toYuv } from '../colour.js';
import type { FrameFormat } from '../../job/items/formats.js';
import type { VideoFacts } from '../facts.js';
import { local, QUIET, UNTRUSTED, words } from '../ffmpeg/process.js';
import { endOf, restarts, secondsOf, type Timetable } from '../timetable.js';
import { type Container, isMatroska, isMp4 } from './container.js';
import { otherStreams, type OtherStreams, tagOptions } from './other-streams.js';

/** Frames to encode. */
export interface EncodeRequest {
  /** Pictures, all of `format`, in order; each is read before the next one is asked for. */
  frames: AsyncIterable<Buffer>;
  format: FrameFormat;
  /** What `probe` found in the video that the frames came from. */
  facts: VideoFacts;
  /** How the output shows them, where that is not how the source does: pictures of another size are scaled to it. */
  shape?: PictureShape | undefined;
  /** When each frame is shown. */
  timetable: Timetable;
  /** Replaced when it exists, and only once the new file is whole. */
  output: string;
  /** `ffv1` keeps every value of the frames and needs .mkv. */
  codec: VideoCodec;
  /** `good` when left out; `ffv1` has none. */
  quality?: Quality;
}

/** Pixels of a picture, and how wide one of them is for its height. */
export type PictureShape = Pick<VideoFacts, 'width' | 'height' | 'sampleAspect'>;

/** The output ends in .mp4, .m4v, .mov, .mkv or .webm. */
export interface StitchRequest extends EncodeRequest {
  /** The video that the frames came from, or the sound that goes with them; left out where there is nothing but frames. */
  source?: string | undefined;
  /** What `rehearse` chose to take from it besides the pictures. */
  others: OtherStreams;
}

/** The timetable and the facts are those of the whole video. */
export interface JoinRequest extends Omit<StitchRequest, 'frames' | 'format' | 'quality'> {
  /** What `encodeSegment` wrote, in order, and when the first frame of each is shown, in ticks of the timetable. */
  segments: { file: string; first: number }[];
}

/**
 * Arguments for: pictures from standard input, each with its time, into a file with the sound of the source. ffmpeg moves both inputs to
 * zero: the source by the start of its earliest stream, as it did when the file was split, and the pictures by the first of them.
 * The caller appends the name of the file.
 */
export function encodeArguments(request: StitchRequest, container: Container, extras: Extras): string[] {
  const { format, timetable } = request;
  const pictures = picturesInput(format, firstShown(timetable));
  return [...reporting(request), ...pictures, ...withSource(request, container, encoding(request), extras)];
}

export interface Extras {
  /** Files of the cover pictures, where the container keeps them as files. */
  covers: string[];
  /** Seconds after which the source is not read on; all of it when left out. */
  most?: number;
}

/** Arguments for a part of the picture without sound, from time zero. */
export const segmentArguments = (request: EncodeRequest, muxer: string): string[] => [
  ...REPORTING,
  ...picturesInput(request.format, 0),
  ...encoding(request),
  ...tagOptions([], true),
  '-f',
  muxer,
];

/**
 * Arguments for: encoded segments, one behind another, as the picture.
 * @param list a script for ffmpeg's concat reader, with the length of each segment
 */
export function joinArguments(request: JoinRequest, container: Container, list: string, covers: string[]): string[] {
  const { timetable, codec } = request;
  const offset = ['-itsoffset', firstShown(timetable).toFixed(6)];
  const segments = ['-f', 'concat', '-safe', '0', '-protocol_whitelist', 'file,pipe', '-i', local(list)];
  const tag = codec === 'h265' && !isMatroska(container) ? APPLE_TAG : [];
  const copy = [...words('-map 0:v:0 -c:v:0 copy'), ...tag];
  return [...reporting(request), ...offset, ...segments, ...withSource(request, container, copy, { covers })];
}

/** Reports the frames written on stdout. Without -xerror a frame that cannot be decoded would be left out without a word. */
const REPORTING = [...QUIET, ...words('-nostats -progress pipe:1 -xerror -y')];
/** At the break of a source or of a stream, -xerror would end everything. The frames are counted in any case. */
const reporting = ({ timetable, others }: Pick<StitchRequest, 'timetable' | 'others'>) =>
  timetable.broken || others.streams.some(({ broken }) => broken)
    ? REPORTING.filter((word) => word !== '-xerror')
    : REPORTING;

/** When the first frame is shown, in seconds after the earliest stream of the source starts. */
const firstShown = ({ timeBase, times }: Timetable) => secondsOf(timeBase, times[0] ?? 0);

const picturesInput = (format: FrameFormat, start: number) =>
  words(`-itsoffset ${start.toFixed(6)} -f matroska -c:v ${format === 'jpg' ? 'mjpeg' : format} -i pipe:0`);

/**
 * Without a time base of its own the encoder counts frames, and two frames close to each other would get one number. Sound that is
 * converted keeps its own.
 */
function encoding({ facts, shape, timetable, codec, quality }: EncodeRequest): string[] {
  const { num, den } = timetable.timeBase;
  const shown = { ...facts, ...shape };
  const scale = shape ? `scale=${shape.width}:${shape.height}:flags=bicubic,format=rgb24,` : '';
  return [
    ...words(`-map 0:v:0 -enc_time_base:v:0 ${num}:${den} -vsync 0 -filter:v:0`),
    scale + (codec === 'ffv1' ? `format=bgr0,${pixelShape(shown)}` : toYuv(shown)),
    ...encoderOptions({ codec, quality }, facts),
  ];
}

/**
 * The constant quality of each encoder. `good` with H.264 gives back the pictures of real videos at 40 dB or better, as RGB; see the table
 * in docs/media.md. A slower preset gains less than it costs.
 */
const QUALITY: Record<Exclude<VideoCodec, 'ffv1'>, Record<Quality, number>> = {
  h264: { small: 24, good: 13, best: 9 },
  h265: { small: 26, good: 14, best: 10 },
  vp9: { small: 40, good: 12, best: 6 },
};

/** Apple's players open H.265 only under this name. */
const APPLE_TAG = words('-tag:v:0 hvc1');

/** Encoder options with the colour tags of the source. FFV1 keeps the RGB of the frames, which has no matrix to tag. */
export function encoderOptions(
  { codec, quality = 'good' }: Pick<EncodeRequest, 'codec' | 'quality'>,
  facts: VideoFacts,
): string[] {
  // Slices with check sums; every frame is a key frame.
  if (codec === 'ffv1') return [...words('-c:v ffv1 -level 3 -g 1 -slices 4 -slicecrc 1'), ...lightTags(facts)];
  const crf = QUALITY[codec][quality];
  // Unless told the rate, both take ticks for frames and spend fewer bits on frames that are shown so briefly.
  const rate = `fps=${facts.frameRate.num}/${facts.frameRate.den}`;
  const options = {
    // x264 quantises colour more coarsely than light, which RGB shows; the offset takes that back.
    h264: words(`-c:v libx264 -preset veryfast -crf ${crf} -x264-params chroma-qp-offset=-6:${rate}`),
    h265: [...words(`-c:v libx265 -preset veryfast -crf ${crf} -x265-params log-level=error:${rate}`), ...APPLE_TAG],
    vp9: words(`-c:v libvpx-vp9 -b:v 0 -crf ${crf} -deadline good -cpu-used 5 -row-mt 1`),
  };
  return [...options[codec], ...colourTags(facts)];
}

/** -strict: to the npm build Opus and FLAC in MP4 are experimental. The queue holds sound until there is a picture to go with it. */
const MUXING = '-strict -2 -max_muxing_queue_size 4096';

/** The source, if any, as the second input, the picture, and all other streams of the source, into the container. */
function withSource(
  { source, facts, timetable, others }: Pick<StitchRequest, 'source' | 'facts' | 'timetable' | 'others'>,
  container: Container,
  picture: string[],
  { covers, most }: Extras,
): string[] {
  const offset = words(`-itsoffset ${soundOffset(facts, container).toFixed(6)}`);
  const limit = most === undefined ? [] : ['-t', String(most)];
  return [
    ...(source === undefined ? [] : [...offset, ...UNTRUSTED, ...limit, '-i', local(source)]),
    ...picture,
    ...(source === undefined
      ? tagOptions(others.pictureTags, isMp4(container))
      : otherStreams(others, container, covers)),
    ...(timetable.broken ? ['-t', endOf(timetable).toFixed(6)] : []),
    // Matroska has no decoding times, so moving all streams until none of those is negative would only lose the first time.
    ...(isMatroska(container) ? words('-avoid_negative_ts disabled') : []),
    ...words(`${MUXING} -f ${container.muxer}`),
    ...(isMp4(container) ? ['-movflags', others.anyTags ? '+faststart+use_metadata_tags' : '+faststart'] : []),
  ];
}

/**
 * Seconds to move the sound of the source by. From containers that restart, ffmpeg removes the delay of the sound unless it is told to
 * move something, so a microsecond keeps it. From Matroska to Matroska, the reader takes the delay of an Opus decoder off the times and
 * the writer does not put it back.
 */
function soundOffset({ container: source, fileStart }: VideoFacts, container: Container): number {
  if (restarts(source)) return 1e-6;
  return isMatroska(container) && source.startsWith('matroska') && fileStart < 0 ? -fileStart : 0;
}
