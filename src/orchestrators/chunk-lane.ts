import type { OrchestrationContext } from 'durable-functions';
import type { Failure } from '../job/failure.js';
import { defineOrchestrator, patientActivitiesOf, resultsOf, type Step } from './calls.js';

/** Sub-orchestrations that each handle their chunks one after another. */
const LANES = 4;

type ChunkActivity = 'splitChunk' | 'encodeChunk';

interface ChunkLaneInput {
  jobId: string;
  activity: ChunkActivity;
  /** The lane handles the chunks `lane`, `lane + lanes`, … of so many. */
  chunks: number;
  lane: number;
  lanes: number;
}

/** Handles chunks of a long video up to the first that fails. Never throws: a throw would end the parent's Task.all while sibling lanes still run. */
export const chunkLane = defineOrchestrator(
  'chunkLane',
  function* (context, { jobId, activity, chunks, lane, lanes }: ChunkLaneInput): Step<{ failure?: Failure }> {
    const call = patientActivitiesOf(context)[activity];
    for (let chunk = lane; chunk < chunks; chunk += lanes) {
      const outcome = yield* call({ jobId, chunk });
      if (!outcome.ok) return { failure: outcome.failure };
    }
    return {};
  },
);

/** Lets an activity handle all chunks of a video. A single chunk is left to the activity that puts the chunks together. */
export function* handleChunks(
  context: OrchestrationContext,
  jobId: string,
  activity: ChunkActivity,
  chunks: number,
): Step<Failure | undefined> {
  if (chunks <= 1) return undefined;
  const lanes = Math.min(LANES, chunks);
  const children = Array.from({ length: lanes }, (_, lane) =>
    chunkLane.start(context, { jobId, activity, chunks, lane, lanes }, `${jobId}-${activity}-${lane}`),
  );
  const ended = yield* resultsOf(context, children);
  return ended.find(({ failure }) => failure)?.failure;
}
