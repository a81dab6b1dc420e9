import type { EncodeChunkInput } from '../activities/inputs.js';
import type { BatchPlan } from '../job/plan.js';
import type { RetryPolicy } from '../job/retry.js';
import type { JobSpec } from '../job/spec.js';
import type { Timeouts } from '../job/watch.js';

/** Inputs and results of the orchestrators. No property is called `instanceId`: the host would take it for its own. */

export interface JobInput {
  jobId: string;
  spec: JobSpec;
}

export interface LaneInput {
  jobId: string;
  lane: number;
  plan: BatchPlan;
  retry: RetryPolicy;
  timeouts: Timeouts;
}

/** Chunks `lane`, `lane + lanes`, … of a video, each by one call of the activity. */
export interface ChunkLaneInput {
  activity: 'splitChunk' | 'encodeChunk';
  chunks: number;
  lane: number;
  lanes: number;
  /** What every call gets, beside the index of the chunk. */
  input: { jobId: string } & Partial<EncodeChunkInput>;
}

export interface BatchInput {
  jobId: string;
  batch: number;
  first: number;
  count: number;
  retry: RetryPolicy;
  timeouts: Timeouts;
}

/** Counts of a batch or of a whole lane. A batch never throws, so that its siblings under one Task.all are not abandoned. */
export interface ScoreResult {
  done: number;
  failed: number;
  /** Items neither scored nor refused: the batch was given up. */
  missing: number;
  /** Set when the job cannot go on. */
  stop?: { message: string; cancelled: boolean };
  /** Why items are missing or failed; '' when all were scored. */
  message: string;
}
