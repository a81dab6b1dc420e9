import type { OrchestrationContext } from 'durable-functions';
import type { Prepared, SplitInput, SplitResult, StitchInput, StitchResult } from '../activities/inputs.js';
import { CHUNK_LANES } from '../job/chunks.js';
import type { Failure, Outcome } from '../job/outcome.js';
import { callPatiently, type Step } from './calls.js';
import type { ChunkLaneInput } from './inputs.js';

/** Splits a short video at once, a long one by several activities side by side. */
export function* splitVideo(
  context: OrchestrationContext,
  jobId: string,
  { splitChunks: chunks }: Prepared,
): Step<Outcome<SplitResult>> {
  const failure = yield* inLanes(context, 'splitChunk', chunks, { jobId });
  if (failure) return failure;
  const input: SplitInput = { jobId, chunks };
  return yield* callPatiently<SplitResult>(context, 'splitVideo', input);
}

export function* stitchVideo(context: OrchestrationContext, input: StitchInput): Step<Outcome<StitchResult>> {
  const chunks = Math.ceil(input.frames / input.chunkFrames);
  const failure = yield* inLanes(context, 'encodeChunk', chunks, input);
  if (failure) return failure;
  return yield* callPatiently<StitchResult>(context, 'stitchVideo', input);
}

/** A single chunk is left to the activity that would put the chunks together. */
function* inLanes(
  context: OrchestrationContext,
  activity: ChunkLaneInput['activity'],
  chunks: number,
  input: ChunkLaneInput['input'],
): Step<Failure | undefined> {
  if (chunks <= 1) return undefined;
  const lanes = Math.min(CHUNK_LANES, chunks);
  const tasks = Array.from({ length: lanes }, (_, lane) => {
    const laneInput: ChunkLaneInput = { activity, chunks, lane, lanes, input };
    return context.df.callSubOrchestrator('chunkLane', laneInput, `${input.jobId}-${activity}-${lane}`);
  });
  const outcomes = (yield context.df.Task.all(tasks)) as Outcome<object>[];
  return outcomes.find((outcome) => !outcome.ok);
}
