import type { Failure } from '../job/failure.js';
import type { ScorerTimes } from './progress.js';

/**
 * Milliseconds of work by kind, added up over the items of a container run. Kinds overlap in time, so their sum may exceed
 * `wall`.
 */
export interface WorkTimings {
  /** Process start to ready for the first item, model load included. */
  startup: number;
  modelLoad: number;
  fetch: number;
  decode: number;
  prepare: number;
  infer: number;
  finish: number;
  encode: number;
  store: number;
  wall: number;
}

export interface FailedItem {
  name: string;
  reason: string;
}

/** The scorer's own account of a container run: the result blob, written before the scorer exits. Times are ISO 8601. */
export interface AttemptResult {
  jobId: string;
  batch: number;
  attempt: number;
  /** `interrupted`: SIGTERM arrived; `failed`: see `failure`. */
  outcome: 'completed' | 'interrupted' | 'failed';
  failure?: Failure;
  /** Names of the items scored by this run. */
  done: string[];
  /** Names of the items whose output existed already. */
  skipped: string[];
  failed: FailedItem[];
  /** What the user should know although the items were scored. */
  warnings?: string[];
  timings: WorkTimings;
  times: ScorerTimes;
  /** ONNX Runtime execution provider that ran, e.g. `cpu`; for `auto` also why it is not a better one. */
  device: string;
  /** Whether the model ran in its optimized form; when it should and did not, a clause that says why. Left out: no item was scored. */
  optimized?: boolean | string;
  codec: 'sharp' | 'jimp';
  startedAt: string;
  endedAt: string;
}
