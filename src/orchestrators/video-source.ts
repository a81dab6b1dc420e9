import { splitVideo, stitchVideo } from './chunk-stages.js';
import type { Source } from './source.js';

/** The frames of a video become a video again. */
export const videoSource: Source = {
  opening: 'split',
  closing: 'stitch',
  *open(context, jobId, prepared) {
    const split = yield* splitVideo(context, jobId, prepared);
    if (!split.ok) return split;
    const { frames, warning } = split.value;
    return { ok: true, value: { items: frames, warnings: warning === undefined ? [] : [warning] } };
  },
  close: (context, jobId, frames, { chunkFrames }) => stitchVideo(context, { jobId, frames, chunkFrames }),
};
