import type { Quality, VideoCodec } from '../../job/output.js';
import { words } from '../ffmpeg/arguments.js';
import { colourTags } from '../colour.js';
import type { VideoFacts } from '../facts.js';

export type PixelFormat = 'yuv420p' | 'yuv444p';

/**
 * Constant quality of each encoder. `good` with H.264 gives back the pictures of real videos at 40 dB or better, as RGB; see the table in
 * docs/media.md. A slower preset gains less than it costs.
 */
const QUALITY: Record<Exclude<VideoCodec, 'ffv1'>, Record<Quality, number>> = {
  h264: { small: 24, good: 13, best: 9 },
  h265: { small: 26, good: 14, best: 10 },
  vp9: { small: 40, good: 12, best: 6 },
};

export interface EncoderChoice {
  codec: VideoCodec;
  quality: Quality;
  pixelFormat: PixelFormat;
}

/** Encoder options with the colour tags of the source. FFV1 keeps the RGB of the frames, which has no matrix to tag. */
export function encoderOptions({ codec, quality, pixelFormat }: EncoderChoice, facts: VideoFacts): string[] {
  // Slices with check sums; every frame is a key frame.
  if (codec === 'ffv1') return words('-c:v ffv1 -level 3 -g 1 -slices 4 -slicecrc 1');
  const crf = QUALITY[codec][quality];
  const { num, den } = facts.frameRate;
  // Both take the clock's ticks for frames when they are not told better, and spend less on frames that are shown so briefly.
  const rate = `fps=${num}/${den}`;
  const options: Record<typeof codec, string> = {
    // x264 gives colour coarser steps than light, which RGB shows, more so in 4:4:4; the offset takes that back.
    h264:
      pixelFormat === 'yuv444p'
        ? `-c:v libx264 -preset veryfast -crf ${crf - 3} -x264-params chroma-qp-offset=-8:${rate}`
        : `-c:v libx264 -preset veryfast -crf ${crf} -x264-params chroma-qp-offset=-6:${rate}`,
    // Apple's players open only hvc1.
    h265: `-c:v libx265 -preset veryfast -crf ${crf} -x265-params log-level=error:${rate} -tag:v hvc1`,
    vp9: `-c:v libvpx-vp9 -b:v 0 -crf ${crf} -deadline good -cpu-used 5 -row-mt 1`,
  };
  return [...words(options[codec]), ...colourTags(facts)];
}
