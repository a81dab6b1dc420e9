import { type BatchPlan, batchesOfLane } from '../job/plan.js';
import type { RetryPolicy } from '../job/attempts/retry.js';
import { type Child, defineOrchestrator, runChildren, type Step } from './calls.js';
import { type BatchInput, type BatchResult, scoreBatch } from './score-batch.js';

export interface LaneInput {
  jobId: string;
  lane: number;
  plan: BatchPlan;
  retry: RetryPolicy;
  /** The batches of the plan to score; all of them when left out. */
  only?: number[];
  /** Set when the host has failed an earlier orchestration of this lane: containers of its batches may still run. */
  again?: true;
}

/**
 * @param idOfRun as of `runId`.
 * @param round how often batches have been scored before.
 */
export const laneId = (idOfRun: string, lane: number, round = 0) =>
  `${idOfRun}${round === 0 ? '' : `-round-${round}`}-lane-${String(lane).padStart(2, '0')}`;
export const batchId = (lane: string, batch: number) => `${lane}-batch-${String(batch).padStart(4, '0')}`;

/** Runs its batches one after another: there are as many lanes as there may be containers at once. Never throws. */
export const scoreLane = defineOrchestrator('scoreLane', function* (context, input: LaneInput): Step<BatchResult> {
  const { jobId, lane, plan, retry, only, again } = input;
  const total: BatchResult = { failed: 0, missing: 0, message: '' };
  const batches = batchesOfLane(plan, lane).filter(({ index }) => !only || only.includes(index));
  // Set once: each change would cost a write.
  context.df.setCustomStatus(`scores batches ${batches.map(({ index }) => index).join(', ')}`.slice(0, 200));
  for (const { index, first, count } of batches) {
    const batch: Child<BatchInput> = {
      instanceId: batchId(context.df.instanceId, index),
      input: { jobId, batch: index, first, count, retry, ...((again ?? only) ? { again: true } : {}) },
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
    const { failed, missing, message, stop } = ended.value;
    total.failed += failed;
    total.missing += missing;
    if (missing > 0) total.givenUp = (total.givenUp ?? 0) + 1;
    total.message ||= message;
    if (stop) return { ...total, stop };
  }
  return total;
});
