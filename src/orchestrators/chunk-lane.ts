import type { OrchestrationContext } from 'durable-functions';
import type { Outcome } from '../job/outcome.js';
import { callPatiently, type Step } from './calls.js';
import type { ChunkLaneInput } from './inputs.js';

/** Handles its chunks one after another, up to the first that fails. Never throws, so that its siblings are not abandoned. */
export function* chunkLane(context: OrchestrationContext): Step<Outcome<object>> {
  const { activity, chunks, lane, lanes, input } = context.df.getInput<ChunkLaneInput>();
  for (let chunk = lane; chunk < chunks; chunk += lanes) {
    const outcome = yield* callPatiently<object>(context, activity, { ...input, chunk });
    if (!outcome.ok) return outcome;
  }
  return { ok: true, value: {} };
}
