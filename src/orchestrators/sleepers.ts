import { type BatchPlan, batchesOfLane } from '../job/plan.js';
import type { PublishedStatus, SettledCounts } from '../job/progress.js';
import { restartedId, runId } from './calls.js';
import { CHUNK_LANES, chunkLaneId } from './chunk-lane.js';
import { itemLaneId } from './item-lane.js';
import { batchId, laneId } from './score-lane.js';

/**
 * Ids of the orchestrations of a job that may sleep now, and some that may not exist. Those that were started again more than once, or
 * that score again what storage has lost, are left out: they wake by themselves.
 */
export function sleepersOf(jobId: string, published: PublishedStatus | undefined, settled: SettledCounts[]): string[] {
  const { plan, run, only } = published ?? {};
  const id = runId(jobId, run);
  const stage = published?.stages.at(-1)?.stage;
  const below =
    stage === 'score' && plan
      ? Array.from({ length: plan.lanes }, (_, lane) => runningBatch(id, plan, lane, { settled, only }))
      : stage === 'split' || stage === 'stitch'
        ? chunkLanes(id, stage === 'split' ? 'splitChunk' : 'encodeChunk')
        : stage === 'list' || stage === 'collect'
          ? [itemLaneId(id, stage === 'list' ? 'measureFrames' : 'collectItems')]
          : [];
  return [jobId, ...below.flatMap((child) => (child === undefined ? [] : [child, restartedId(child, 1)]))];
}

const chunkLanes = (id: string, activity: Parameters<typeof chunkLaneId>[1]) =>
  Array.from({ length: CHUNK_LANES }, (_, lane) => chunkLaneId(id, activity, lane));

/** A lane runs its batches one after another: the first that is not over. @param only absent: it has all of them. */
function runningBatch(
  id: string,
  plan: BatchPlan,
  lane: number,
  { settled, only }: { settled: SettledCounts[]; only: number[] | undefined },
): string | undefined {
  const over = new Set(settled.flatMap(({ batch, state }) => (state === 'retrying' ? [] : [batch])));
  const open = ({ index }: { index: number }) => !over.has(index) && only?.includes(index) !== false;
  const running = batchesOfLane(plan, lane).find(open);
  return running && batchId(laneId(id, lane), running.index);
}
