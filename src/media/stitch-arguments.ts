import { local, QUIET, restarts, SCALER, UNTRUSTED, words } from './arguments.js';
import { matrixOf, planarMatrixOf, rangeOf, zscaleRange } from './colour.js';
import { type Container, otherStreams } from './container.js';
import { encoderOptions } from './encoders.js';
import type { VideoFacts } from './facts.js';
import type { StitchRequest } from './stitch.js';
import { secondsOf, tickOf } from './timetable.js';

/** -strict: Opus and FLAC in MP4 count as experimental in the npm build. The queue holds sound until there is a picture to go with it. */
const CONTAINER = '-strict -2 -max_muxing_queue_size 4096 -movflags +faststart';

/**
 * Frames from ffmpeg's input, each with its time, into a file, with the sound of the source. ffmpeg moves either input to zero: the
 * source by the start of its earliest stream, as it did when the file was split, and the frames by the first of them.
 */
export function encodeArguments(request: StitchRequest, container: Container, target: string): string[] {
  const { format, source, facts, timetable } = request;
  const { codec = 'h264', quality = 'good', pixelFormat = 'yuv420p' } = request;
  const { muxer } = container;
  const { num, den } = timetable?.timeBase ?? tickOf(facts);
  const offset = timetable ? secondsOf(timetable.timeBase, timetable.times[0] ?? 0) : facts.startTime;
  const decoder = format === 'png' ? 'png' : 'mjpeg';
  return [
    ...QUIET,
    // -xerror: a frame that cannot be decoded would otherwise be left out without a word.
    ...words('-nostats -progress pipe:1 -xerror -y'),
    ...words(`-itsoffset ${offset.toFixed(6)} -f matroska -c:v ${decoder} -i pipe:0`),
    ...words(`-itsoffset ${soundOffset(facts, muxer)}`),
    ...UNTRUSTED,
    '-i',
    local(source),
    // Without a time base of its own the encoder counts frames, and two that are close fall on one number.
    ...words(`-map 0:v:0 -enc_time_base ${num}:${den} -vsync 0 -vf`),
    codec === 'ffv1' ? `format=bgr0,${shape(facts)}` : toYuv(facts, pixelFormat),
    ...encoderOptions({ codec, quality, pixelFormat }, facts),
    ...otherStreams(facts, container),
    // Matroska keeps no decoding times, and moving all streams so that none is negative would only lose the first time.
    ...(isMatroska(muxer) ? words('-avoid_negative_ts disabled') : []),
    ...words(`${CONTAINER} -f ${muxer}`),
    local(target),
  ];
}

/**
 * Seconds by which ffmpeg puts the sound of the source too early. Matroska: its reader takes the delay of an Opus decoder off the
 * times, its writer does not put it back on.
 */
function soundOffset({ container, soundStart, fileStart }: VideoFacts, muxer: string): number {
  if (restarts(container)) return soundStart;
  return isMatroska(muxer) && container.startsWith('matroska') && fileStart < 0 ? -fileStart : 0;
}

const isMatroska = (muxer: string) => muxer === 'matroska' || muxer === 'webm';

// Without max, setsar rounds to numbers up to 100.
const shape = ({ sampleAspect }: Pick<VideoFacts, 'sampleAspect'>) =>
  `setsar=sar=${sampleAspect.num}/${sampleAspect.den}:max=100000`;

/** Even sizes, the source's matrix, range and shape of pixels. */
function toYuv({ width, height, sampleAspect, ...facts }: VideoFacts, pixelFormat: string): string {
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
