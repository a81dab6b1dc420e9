import { SCALER } from './arguments.js';
import { matrixOf, rangeOf } from './colour.js';
import type { FrameFormat, VideoFacts } from './facts.js';

/**
 * The filters between a decoded frame and a picture of it. JPEG means BT.601 in full range; the way through RGB keeps swscale from
 * mixing up two matrices.
 */
export function toRgb(facts: VideoFacts, format: FrameFormat): string {
  const scaled = `scale=in_color_matrix=${matrixOf(facts.colour)}:in_range=${rangeOf(facts)}:${SCALER}`;
  return [
    // One frame for each frame, so that times and count stay.
    ...(facts.interlaced ? ['yadif=mode=send_frame:deint=all'] : []),
    ...(facts.hdr ? toStandardRange(facts.hdr) : []),
    scaled,
    ...(facts.alpha ? ['format=gbrap', 'setrange=full', 'premultiply=inplace=1'] : []),
    'format=rgb24',
    ...(format === 'jpg' ? [`scale=out_color_matrix=bt601:out_range=pc:${SCALER}`, 'format=yuvj444p'] : []),
  ].join(',');
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
