import type { SplitResult, StitchResult } from '../activities/inputs.js';
import { callPatiently } from './calls.js';
import type { Source } from './source.js';

/** The frames of a video become a video again. */
export const videoSource: Source = {
  opening: 'split',
  closing: 'stitch',
  *open(context, jobId) {
    const split = yield* callPatiently<SplitResult>(context, 'splitVideo', { jobId });
    return split.ok ? { ok: true, value: { items: split.value.frames, warnings: [] } } : split;
  },
  close: (context, jobId, frames) => callPatiently<StitchResult>(context, 'stitchVideo', { jobId, frames }),
};
