import type { OrchestrationContext } from 'durable-functions';
import type { Failure, Outcome } from '../job/failure.js';
import { defineOrchestrator, isLong, patientActivitiesOf, runChildren, runId, runOf, type Step } from './calls.js';

type ItemActivity = 'measureFrames' | 'collectItems';

/** Items to handle one part after another. */
export interface Items {
  jobId: string;
  activity: ItemActivity;
  /** With which one it begins. */
  first: number;
  /** How many there are, with those before the first. */
  items: number;
  /** Of a part. */
  size: number;
  /** How often it was done before. */
  round: number;
}

interface ItemLaneInput extends Items {
  again?: true;
  /** What earlier executions have come to; these then begin with what is left. */
  bytes?: number;
}

interface Handled {
  failure?: Failure;
  /** Of what was made of the items. */
  bytes: number;
}

export const itemLaneId = (idOfRun: string, activity: ItemActivity, round = 0) =>
  `${idOfRun}${round === 0 ? '' : `-round-${round}`}-${activity}`;

/** Handles the parts of a very long list, so that the history of its job does not tell of each. Never throws. */
export const itemLane = defineOrchestrator('itemLane', function* (context, input: ItemLaneInput): Step<Handled> {
  const { items, size } = input;
  let { bytes = 0 } = input;
  for (let { first } = input; first < items; first += size) {
    if (isLong(context)) {
      context.df.continueAsNew({ ...input, first, bytes } satisfies ItemLaneInput);
      return { bytes };
    }
    context.df.setCustomStatus(`is at item ${first} of ${items}`);
    const handled = yield* handlePart(context, input, first);
    if (!handled.ok) return { bytes, failure: handled.failure };
    bytes += handled.value;
  }
  return { bytes };
});

/** A job does so many by itself. */
const MOST_PARTS = 10;

/** @returns bytes of what was made of them. */
export function* handleItems(context: OrchestrationContext, of: Items): Step<Outcome<number>> {
  const { jobId, activity, first: begin, items, size, round } = of;
  if (items - begin > MOST_PARTS * size) {
    const lane = { instanceId: itemLaneId(runId(jobId, runOf(context)), activity, round), input: of };
    const [ended] = yield* runChildren(context, itemLane, [lane]);
    if (!ended?.ok) return ended ?? { ok: true, value: 0 };
    const { failure, bytes } = ended.value;
    return failure ? { ok: false, failure } : { ok: true, value: bytes };
  }
  let bytes = 0;
  for (let first = begin; first < items; first += size) {
    const handled = yield* handlePart(context, of, first);
    if (!handled.ok) return handled;
    bytes += handled.value;
  }
  return { ok: true, value: bytes };
}

function* handlePart(
  context: OrchestrationContext,
  { jobId, activity, items, size }: Items,
  first: number,
): Step<Outcome<number>> {
  const { collectItems, measureFrames } = patientActivitiesOf(context);
  const part = { jobId, first, count: Math.min(size, items - first) };
  if (activity === 'collectItems') {
    const collected = yield* collectItems(part);
    return collected.ok ? { ok: true, value: collected.value.bytes } : collected;
  }
  const measured = yield* measureFrames(part);
  return measured.ok ? { ok: true, value: 0 } : measured;
}
