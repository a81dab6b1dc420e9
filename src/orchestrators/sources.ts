import type { OrchestrationContext } from 'durable-functions';
import type { Prepared } from '../activities/prepare/prepare-job.js';
import type { Outcome } from '../job/failure.js';
import { LIST_LENGTH } from '../job/items/item-list.js';
import type { Stage } from '../job/progress.js';
import { patientActivitiesOf, type Step } from './calls.js';
import { handleChunks } from './chunk-lane.js';
import { handleItems } from './item-lane.js';

/** What a job scores: how its items come about before scoring, and what becomes of their outputs afterwards. */
export interface Source {
  readonly opening: Stage;
  readonly closing: (prepared: Prepared) => Stage;
  /** A later round makes only what is gone. */
  open(context: OrchestrationContext, open: Open): Step<Outcome<Opened>>;
  /** Fails with the item to blame when something that the result is made of is gone. */
  close(context: OrchestrationContext, close: Close): Step<Outcome<Delivered>>;
}

export interface Open {
  jobId: string;
  prepared: Prepared;
  /** How often it was done before. */
  round: number;
}

interface Close {
  jobId: string;
  prepared: Prepared;
  opened: Opened;
  /** From 1. */
  round: number;
}

interface Opened {
  items: number;
  warnings: string[];
  /** Chunks in which the output video is encoded; 0 for images. */
  encodeChunks: number;
}

/** Where the job's result is in the media account, and its size. */
export interface Delivered {
  output: string;
  /** Prefix of the predictions, where there are any. */
  predictions?: string;
  bytes: number;
}

/** The frames of a video become a video again (a short one by one activity, a long one by several side by side), predictions, or both. */
export const videoSource: Source = {
  opening: 'split',
  closing: ({ delivers }) => (delivers === 'predictions' ? 'collect' : 'stitch'),
  *open(context, { jobId, prepared: { splitChunks }, round }) {
    const failure = yield* handleChunks(context, { jobId, activity: 'splitChunk', chunks: splitChunks, round });
    if (failure) return { ok: false, failure };
    const split = yield* patientActivitiesOf(context).splitVideo({ jobId, chunks: splitChunks });
    if (!split.ok) return split;
    const { frames, encodeChunks, warnings = [] } = split.value;
    return { ok: true, value: { items: frames, encodeChunks, warnings } };
  },
  *close(context, { jobId, prepared: { delivers }, opened: { items, encodeChunks }, round }) {
    if (delivers === 'predictions') return yield* collect(context, jobId, items, round);
    const failure = yield* handleChunks(context, {
      jobId,
      activity: 'encodeChunk',
      chunks: encodeChunks,
      round: round - 1,
    });
    if (failure) return { ok: false, failure };
    const stitched = yield* patientActivitiesOf(context).stitchVideo({ jobId });
    if (!stitched.ok || delivers === 'video') return stitched;
    const collected = yield* collect(context, jobId, items, round);
    if (!collected.ok) return collected;
    const { predictions, bytes } = collected.value;
    return { ok: true, value: { ...stitched.value, predictions, bytes: stitched.value.bytes + bytes } };
  },
};

/** Frames that one activity measures: a matter of a minute. */
const MEASURED_AT_ONCE = 10 * LIST_LENGTH;

/** The images of a folder are the frames of a video. */
export const framesSource: Source = {
  ...videoSource,
  opening: 'list',
  *open(context, { jobId, prepared: { expectedItems }, round }) {
    // The first part tells what there is to do afterwards.
    const count = Math.min(MEASURED_AT_ONCE, expectedItems);
    const measured = yield* patientActivitiesOf(context).measureFrames({ jobId, first: 0, count });
    if (!measured.ok) return measured;
    if (count < expectedItems) {
      const all = { jobId, activity: 'measureFrames', items: expectedItems, size: MEASURED_AT_ONCE, round } as const;
      const others = yield* handleItems(context, { ...all, first: count });
      if (!others.ok) return others;
    }
    return { ok: true, value: { items: expectedItems, encodeChunks: measured.value.encodeChunks, warnings: [] } };
  },
};

/** Items collected by one activity: a matter of seconds, and a history of 200 calls for a million items. */
const COLLECTED_AT_ONCE = 5 * LIST_LENGTH;

/** The images of a folder become images of the same names, or predictions. */
export const imagesSource: Source = {
  opening: 'list',
  closing: () => 'collect',
  *open(context, { jobId }) {
    const listed = yield* patientActivitiesOf(context).listImages({ jobId });
    return listed.ok ? { ok: true, value: { ...listed.value, encodeChunks: 0 } } : listed;
  },
  *close(context, { jobId, opened: { items }, round }) {
    return yield* collect(context, jobId, items, round);
  },
};

function* collect(
  context: OrchestrationContext,
  jobId: string,
  items: number,
  round: number,
): Step<Outcome<Delivered>> {
  const all = { jobId, activity: 'collectItems', first: 0, items, size: COLLECTED_AT_ONCE, round: round - 1 } as const;
  const collected = yield* handleItems(context, all);
  if (!collected.ok) return collected;
  const tables = yield* patientActivitiesOf(context).collectPredictions({ jobId, items });
  return tables.ok ? { ok: true, value: { ...tables.value, bytes: collected.value + tables.value.bytes } } : tables;
}
