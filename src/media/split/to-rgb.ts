import { SCALER } from '../ffmpeg/arguments.js';
import { matrixOf, planarMatrixOf, rangeOf, zscaleRange } from '../colour.js';
import type { FrameFormat, VideoFacts } from '../facts.js';

/**
 * The filters between a decoded frame and a picture of it. JPEG means BT.601 in full range; the way through RGB keeps swscale from
 * mixing up two matrices.
 * @param trim a filter and a comma, behind what looks at the frames before and after
 */
export function toRgb(facts: VideoFacts, format: FrameFormat, trim = ''): string {
  const filters = [
    ...(facts.hdr ? toStandardRange(facts.hdr) : []),
    ...(unscaled(facts) ?? scaled(facts)),
    'format=rgb24',
    ...(format === 'jpg' ? [`scale=out_color_matrix=bt601:out_range=pc:${SCALER}`, 'format=yuvj444p'] : []),
  ];
  // One frame for each frame, so that times and count stay.
  const whole = facts.interlaced ? 'yadif=mode=send_frame:deint=all,' : '';
  return whole + trim + filters.join(',');
}

/** Planar Y'CbCr of 8 bits without transparency, which is what most videos hold; j stands for full range. */
const PLANAR = /^yuv(j?)4(?:20|22|44|11|10|40)p$/;

/**
 * The colour of subsampled pixels is repeated, not interpolated: the mean that `stitch` takes of them is then the value that the
 * source had. zscale takes a third of the time of swscale when that is told to round rightly. Undefined where it cannot be used.
 */
function unscaled(facts: VideoFacts): string[] | undefined {
  const kind = PLANAR.exec(facts.hdr ? 'yuv444p' : facts.pixelFormat);
  const matrix = planarMatrixOf(facts.colour);
  if (!kind || !matrix) return undefined;
  const range = rangeOf(facts);
  const repeated = `scale=flags=neighbor:in_range=${range}:out_range=${range}`;
  const planar = `zscale=min=${matrix}:rin=${zscaleRange(range)}:m=gbr:r=full`;
  return [repeated, `format=yuv${kind[1]}444p`, planar, 'format=gbrp'];
}

function scaled(facts: VideoFacts): string[] {
  return [
    `scale=in_color_matrix=${matrixOf(facts.colour)}:in_range=${rangeOf(facts)}:${SCALER}`,
    ...(facts.alpha ? ['format=gbrap', 'setrange=full', 'premultiply=inplace=1'] : []),
  ];
}

/** BT.2020 light, tone-mapped (Hable's curve, white at 100 cd/m²) into BT.709. */
function toStandardRange(transfer: 'smpte2084' | 'arib-std-b67'): string[] {
  return [
    `zscale=tin=${transfer}:min=bt2020nc:pin=bt2020:t=linear:npl=100`,
    'format=gbrpf32le',
    'zscale=p=bt709',
    'tonemap=hable:desat=0',
    'zscale=t=bt709:m=bt709:r=tv',
    'format=yuv444p',
  ];
}
