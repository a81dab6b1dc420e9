import type { OrchestrationContext } from 'durable-functions';
import type { Failure } from '../job/failure.js';
import { defineOrchestrator, isLong, patientActivitiesOf, runChildren, runId, runOf, type Step } from './calls.js';

/** Sub-orchestrations that each handle their chunks one after another. */
export const CHUNK_LANES = 4;

type ChunkActivity = 'splitChunk' | 'encodeChunk';

interface ChunkLaneInput {
  jobId: string;
  activity: ChunkActivity;
  /** The lane handles the chunks `lane`, `lane + lanes`, … of so many. */
  chunks: number;
  lane: number;
  lanes: number;
  again?: true;
  /** The first one that earlier executions of a long lane have left. */
  next?: number;
}

/**
 * @param idOfRun as of `runId`.
 * @param round how often the stage has been gone through before.
 */
export const chunkLaneId = (idOfRun: string, activity: ChunkActivity, lane: number, round = 0) =>
  `${idOfRun}${round === 0 ? '' : `-round-${round}`}-${activity}-${lane}`;

/** Handles chunks of a long video up to the first that fails. Never throws. */
export const chunkLane = defineOrchestrator('chunkLane', function* (context, input: ChunkLaneInput): Step<{
  failure?: Failure;
}> {
  const { jobId, activity, chunks, lane, lanes } = input;
  const call = patientActivitiesOf(context)[activity];
  context.df.setCustomStatus(`handles every ${lanes}th of ${chunks} chunks, from chunk ${input.next ?? lane} on`);
  for (let chunk = input.next ?? lane; chunk < chunks; chunk += lanes) {
    if (isLong(context)) {
      context.df.continueAsNew({ ...input, next: chunk } satisfies ChunkLaneInput);
      return {};
    }
    const outcome = yield* call({ jobId, chunk });
    if (!outcome.ok) return { failure: outcome.failure };
  }
  return {};
});

export interface Chunks {
  jobId: string;
  activity: ChunkActivity;
  chunks: number;
  /** How often the stage has been gone through before. */
  round: number;
}

/** Lets an activity handle all chunks of a video. A single chunk is left to the activity that puts the chunks together. */
export function* handleChunks(
  context: OrchestrationContext,
  { jobId, activity, chunks, round }: Chunks,
): Step<Failure | undefined> {
  if (chunks <= 1) return undefined;
  const lanes = Math.min(CHUNK_LANES, chunks);
  const children = Array.from({ length: lanes }, (_, lane) => ({
    instanceId: chunkLaneId(runId(jobId, runOf(context)), activity, lane, round),
    input: { jobId, activity, chunks, lane, lanes },
  }));
  const ended = yield* runChildren(context, chunkLane, children);
  for (const outcome of ended) {
    const failure = outcome.ok ? outcome.value.failure : outcome.failure;
    if (failure) return failure;
  }
  return undefined;
}
