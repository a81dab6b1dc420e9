import { type BatchPlan, batchesOfLane } from '../job/plan.js';
import type { RetryPolicy } from '../job/attempts/retry.js';
import type { RoomPolicy, Search } from '../job/attempts/room.js';
import { type Child, defineOrchestrator, isLong, runChildren, type Step } from './calls.js';
import { addResult, type BatchInput, type BatchResult, NO_RESULT, scoreBatch } from './score-batch.js';

export interface LaneInput {
  jobId: string;
  lane: number;
  plan: BatchPlan;
  retry: RetryPolicy;
  /** The batches of the plan to score; all of them when left out. */
  only?: number[];
  /** Batches that all lanes score; absent where none gets help by idle containers. */
  batches?: number;
  /** Set when the host has failed an earlier orchestration of this lane: containers of its batches may still run. */
  again?: true;
  /** Set when the job has several computes. */
  room?: RoomPolicy;
  /** What earlier executions of a long lane have come to. */
  soFar?: { next: number; total: BatchResult; search?: Search | undefined };
}

/**
 * @param idOfRun as of `runId`.
 * @param round how often batches have been scored before.
 */
export const laneId = (idOfRun: string, lane: number, round = 0) =>
  `${idOfRun}${round === 0 ? '' : `-round-${round}`}-lane-${String(lane).padStart(2, '0')}`;
export const batchId = (lane: string, batch: number) => `${lane}-batch-${String(batch).padStart(4, '0')}`;

const MOST_NAMED = 20;

/** Runs its batches one after another: there are as many lanes as there may be containers at once. Never throws. */
export const scoreLane = defineOrchestrator('scoreLane', function* (context, input: LaneInput): Step<BatchResult> {
  const { jobId, lane, plan, retry, only, again, room, soFar, batches: ofAll } = input;
  let { total, search } = soFar ?? { total: NO_RESULT, search: undefined };
  const isOwn = ({ index }: { index: number }) => index >= (soFar?.next ?? 0) && (!only || only.includes(index));
  const batches = batchesOfLane(plan, lane).filter(isOwn);
  const named = batches.slice(0, MOST_NAMED).map(({ index }) => index);
  const more = batches.length > MOST_NAMED ? ` and ${batches.length - MOST_NAMED} more` : '';
  // Set once an execution: each change would cost a write.
  context.df.setCustomStatus(`scores batches ${named.join(', ')}${more}`);
  for (const { index, first, count } of batches) {
    if (isLong(context)) {
      context.df.continueAsNew({ ...input, soFar: { next: index, total, search } } satisfies LaneInput);
      return total;
    }
    const batch: Child<BatchInput> = {
      instanceId: batchId(context.df.instanceId, index),
      input: {
        jobId,
        batch: index,
        first,
        count,
        retry,
        ...(ofAll !== undefined && { batches: ofAll }),
        ...((again ?? only) ? { again: true } : {}),
        ...(room && { room }),
        ...(search && { search }),
      },
    };
    const [ended] = yield* runChildren(context, scoreBatch, [batch]);
    if (!ended?.ok) {
      const message = ended?.failure.message ?? '';
      return {
        ...total,
        missing: total.missing + count,
        message,
        stop: { reason: 'failed', blame: 'platform', message },
      };
    }
    const { missing } = ended.value;
    ({ search } = ended.value);
    total = addResult(total, { ...ended.value, ...(missing > 0 && { givenUp: 1 }) });
    if (total.stop) return total;
  }
  return total;
});
