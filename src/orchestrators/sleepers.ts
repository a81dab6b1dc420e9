import { type BatchPlan, batchesOfLane } from '../job/plan.js';
import type { PublishedStatus, SettledCounts } from '../job/progress.js';
import { restartedId } from './calls.js';
import { CHUNK_LANES, chunkLaneId } from './chunk-lane.js';
import { batchId, laneId } from './score-lane.js';

/**
 * Ids of the orchestrations of a job that may sleep now, and some that may not exist. Those that were started again more than once are
 * left out: they wake by themselves.
 */
export function sleepersOf(jobId: string, published: PublishedStatus | undefined, settled: SettledCounts[]): string[] {
  const { plan } = published ?? {};
  const stage = published?.stages.at(-1)?.stage;
  const below =
    stage === 'score' && plan
      ? Array.from({ length: plan.lanes }, (_, lane) => runningBatch(jobId, plan, lane, settled))
      : stage === 'split' || stage === 'stitch'
        ? chunkLanes(jobId, stage === 'split' ? 'splitChunk' : 'encodeChunk')
        : [];
  return [jobId, ...below.flatMap((id) => (id === undefined ? [] : [id, restartedId(id, 1)]))];
}

const chunkLanes = (jobId: string, activity: Parameters<typeof chunkLaneId>[1]) =>
  Array.from({ length: CHUNK_LANES }, (_, lane) => chunkLaneId(jobId, activity, lane));

/** A lane runs its batches one after another: the first that is not over. */
function runningBatch(jobId: string, plan: BatchPlan, lane: number, settled: SettledCounts[]): string | undefined {
  const over = new Set(settled.flatMap(({ batch, state }) => (state === 'retrying' ? [] : [batch])));
  const running = batchesOfLane(plan, lane).find(({ index }) => !over.has(index));
  return running && batchId(laneId(jobId, lane), running.index);
}
