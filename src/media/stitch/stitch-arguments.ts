import { local, QUIET, restarts, SCALER, UNTRUSTED, words } from '../ffmpeg/arguments.js';
import { matrixOf, planarMatrixOf, rangeOf, zscaleRange } from '../colour.js';
import { type Container, otherStreams } from './container.js';
import { encoderOptions } from './encoders.js';
import type { VideoFacts } from '../facts.js';
import type { JoinRequest } from './segments.js';
import type { EncodeRequest, StitchRequest } from './stitch.js';
import { endOf, secondsOf, tickOf, type Timetable } from '../timetable.js';

/** -strict: Opus and FLAC in MP4 count as experimental in the npm build. The queue holds sound until there is a picture to go with it. */
const CONTAINER = '-strict -2 -max_muxing_queue_size 4096 -movflags +faststart';

/**
 * Frames from ffmpeg's input, each with its time, into a file, with the sound of the source. ffmpeg moves either input to zero: the
 * source by the start of its earliest stream, as it did when the file was split, and the frames by the first of them. The name of the
 * file is left to the caller.
 */
export function encodeArguments(request: StitchRequest, container: Container): string[] {
  return [...loud(request.timetable), ...framesInput(request), ...withSource(request, container, pictures(request))];
}

/** The same without sound: a part of the picture, from time zero. */
export function segmentArguments(request: EncodeRequest, muxer: string): string[] {
  const start = { ...request, facts: { ...request.facts, startTime: 0 }, timetable: undefined };
  return [...LOUD, ...framesInput(start), ...pictures(request), '-f', muxer];
}

/**
 * Segments, one behind another, as the picture.
 * @param list a file that ffmpeg's concat reader takes, with the length of each segment
 */
export function joinArguments(request: JoinRequest, container: Container, list: string): string[] {
  const { facts, timetable, codec } = request;
  const segments = ['-f', 'concat', '-safe', '0', '-protocol_whitelist', 'file,pipe', '-i', local(list)];
  // Apple's players open only hvc1.
  const copy = words(`-map 0:v:0 -c:v copy${codec === 'h265' && !isMatroska(container.muxer) ? ' -tag:v hvc1' : ''}`);
  const offset = ['-itsoffset', startOf(facts, timetable).toFixed(6)];
  return [...loud(timetable), ...offset, ...segments, ...withSource(request, container, copy)];
}

// -xerror: a frame that cannot be decoded would otherwise be left out without a word.
const LOUD = [...QUIET, ...words('-nostats -progress pipe:1 -xerror -y')];
/** The same for a source that breaks, which would end everything; frames are counted anyway. */
const FORGIVING = LOUD.filter((word) => word !== '-xerror');
const loud = (timetable?: Timetable) => (timetable?.broken ? FORGIVING : LOUD);

const startOf = (facts: VideoFacts, timetable?: Timetable) =>
  timetable ? secondsOf(timetable.timeBase, timetable.times[0] ?? 0) : facts.startTime;

function framesInput({ format, facts, timetable }: EncodeRequest): string[] {
  const decoder = format === 'png' ? 'png' : 'mjpeg';
  return words(`-itsoffset ${startOf(facts, timetable).toFixed(6)} -f matroska -c:v ${decoder} -i pipe:0`);
}

function pictures({ facts, timetable, ...request }: EncodeRequest): string[] {
  const { codec = 'h264', quality = 'good', pixelFormat = 'yuv420p' } = request;
  const { num, den } = timetable?.timeBase ?? tickOf(facts);
  return [
    // Without a time base of its own the encoder counts frames, and two that are close fall on one number.
    ...words(`-map 0:v:0 -enc_time_base ${num}:${den} -vsync 0 -vf`),
    codec === 'ffv1' ? `format=bgr0,${shape(facts)}` : toYuv(facts, pixelFormat),
    ...encoderOptions({ codec, quality, pixelFormat }, facts),
  ];
}

function withSource(
  { source, facts, timetable }: Pick<StitchRequest, 'source' | 'facts' | 'timetable'>,
  container: Container,
  picture: string[],
): string[] {
  const { muxer } = container;
  return [
    ...words(`-itsoffset ${soundOffset(facts, muxer).toFixed(6)}`),
    ...UNTRUSTED,
    '-i',
    local(source),
    ...picture,
    ...otherStreams(facts, container),
    ...(timetable?.broken ? ['-t', endOf(timetable).toFixed(6)] : []),
    // Matroska keeps no decoding times, and moving all streams so that none is negative would only lose the first time.
    ...(isMatroska(muxer) ? words('-avoid_negative_ts disabled') : []),
    ...words(`${CONTAINER} -f ${muxer}`),
  ];
}

/**
 * Seconds to move the sound of the source by. Containers that restart: ffmpeg takes the delay of the sound off only where it is told to
 * move nothing, so a microsecond keeps it. Matroska: its reader takes the delay of an Opus decoder off the times, its writer does not
 * put it back on.
 */
function soundOffset({ container, fileStart }: VideoFacts, muxer: string): number {
  if (restarts(container)) return 1e-6;
  return isMatroska(muxer) && container.startsWith('matroska') && fileStart < 0 ? -fileStart : 0;
}

const isMatroska = (muxer: string) => muxer === 'matroska' || muxer === 'webm';

// Without max, setsar rounds to numbers up to 100.
const shape = ({ sampleAspect }: Pick<VideoFacts, 'sampleAspect'>) =>
  `setsar=sar=${sampleAspect.num}/${sampleAspect.den}:max=100000`;

/** Even sizes, the source's matrix, range and shape of pixels. */
export function toYuv({ width, height, sampleAspect, ...facts }: VideoFacts, pixelFormat: string): string {
  const odd = width % 2 || height % 2;
  return [
    ...(odd ? ['pad=ceil(iw/2)*2:ceil(ih/2)*2'] : []),
    ...fromRgb(facts),
    ...(odd ? [`fillborders=right=${width % 2}:bottom=${height % 2}:mode=smear`] : []),
    // The mean of four pixels for the colour of 4:2:0; see toRgb.
    `scale=flags=area:in_range=${rangeOf(facts)}:out_range=${rangeOf(facts)}`,
    `format=${pixelFormat}`,
    shape({ sampleAspect }),
  ].join(',');
}

function fromRgb(facts: Pick<VideoFacts, 'colour' | 'pixelFormat'>): string[] {
  const matrix = planarMatrixOf(facts.colour);
  const range = rangeOf(facts);
  if (!matrix)
    return [`scale=out_color_matrix=${matrixOf(facts.colour)}:out_range=${range}:${SCALER}`, 'format=yuv444p'];
  const planar = `zscale=min=gbr:rin=full:m=${matrix}:r=${zscaleRange(range)}`;
  return ['format=gbrp', planar, 'format=yuv444p'];
}
