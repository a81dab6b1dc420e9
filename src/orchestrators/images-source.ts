import type { CollectInput, CollectResult, ListResult, StitchResult } from '../activities/inputs.js';
import { LIST_LENGTH } from '../job/item-list.js';
import { callPatiently } from './calls.js';
import type { Source } from './source.js';

/** Items collected by one activity: a matter of seconds, and a history of 200 calls for a million items. */
const COLLECTED_AT_ONCE = 5 * LIST_LENGTH;

/** The pictures of a folder become pictures of the same names, or predictions. */
export const imagesSource: Source = {
  opening: 'list',
  closing: 'collect',
  open: (context, jobId) => callPatiently<ListResult>(context, 'listImages', { jobId }),
  *close(context, jobId, items) {
    let bytes = 0;
    for (let first = 0; first < items; first += COLLECTED_AT_ONCE) {
      const input: CollectInput = { jobId, first, count: Math.min(COLLECTED_AT_ONCE, items - first) };
      const collected = yield* callPatiently<CollectResult>(context, 'collectItems', input);
      if (!collected.ok) return collected;
      bytes += collected.value.bytes;
    }
    const joined = yield* callPatiently<StitchResult>(context, 'collectPredictions', { jobId, items });
    if (!joined.ok) return joined;
    return { ok: true, value: { output: joined.value.output, bytes: bytes + joined.value.bytes } };
  },
};
