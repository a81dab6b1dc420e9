import type { OrchestrationContext } from 'durable-functions';
import { batchesOfLane } from '../job/plan.js';
import type { Step } from './calls.js';
import type { BatchInput, LaneInput, ScoreResult } from './inputs.js';

/** Runs its batches one after another: as many lanes as there may be containers at once. */
export function* scoreLane(context: OrchestrationContext): Step<ScoreResult> {
  const { jobId, lane, plan, retry, timeouts } = context.df.getInput<LaneInput>();
  const total: ScoreResult = { done: 0, failed: 0, missing: 0, message: '' };
  for (const { index, first, count } of batchesOfLane(plan, lane)) {
    const input: BatchInput = { jobId, batch: index, first, count, retry, timeouts };
    const result = (yield context.df.callSubOrchestrator(
      'scoreBatch',
      input,
      `${jobId}-batch-${String(index).padStart(4, '0')}`,
    )) as ScoreResult;
    total.done += result.done;
    total.failed += result.failed;
    total.missing += result.missing;
    total.message ||= result.message;
    if (result.stop) return { ...total, stop: result.stop };
  }
  return total;
}
