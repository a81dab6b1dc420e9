import { type BatchPlan, batchesOfLane } from '../job/plan.js';
import type { RetryPolicy } from '../job/retry.js';
import { defineOrchestrator, resultOf, type Step } from './calls.js';
import { type BatchResult, scoreBatch } from './score-batch.js';

export interface LaneInput {
  jobId: string;
  lane: number;
  plan: BatchPlan;
  retry: RetryPolicy;
}

/** Runs its batches one after another: there are as many lanes as there may be containers at once. Never throws. */
export const scoreLane = defineOrchestrator(
  'scoreLane',
  function* (context, { jobId, lane, plan, retry }: LaneInput): Step<BatchResult> {
    const total: BatchResult = { failed: 0, missing: 0, message: '' };
    for (const { index, first, count } of batchesOfLane(plan, lane)) {
      const instanceId = `${jobId}-batch-${String(index).padStart(4, '0')}`;
      const child = scoreBatch.start(context, { jobId, batch: index, first, count, retry }, instanceId);
      const result = yield* resultOf(child);
      total.failed += result.failed;
      total.missing += result.missing;
      total.message ||= result.message;
      if (result.stop) return { ...total, stop: result.stop };
    }
    return total;
  },
);
