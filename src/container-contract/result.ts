import type { ScorerSplit } from '../job/attempts/bottleneck.js';
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

/** What one item took: a line of the timings blob. Of frames that the model gets together each has its share of `prepare`, `infer` and `finish`. */
export interface ItemTimings extends Pick<
  WorkTimings,
  'fetch' | 'decode' | 'prepare' | 'infer' | 'finish' | 'encode' | 'store'
> {
  item: string;
  /** Set when the item could not be scored; what it did not come to is 0 then. */
  failed?: true;
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
  /**
   * Indices of the items that the model was given together when it took longer than `itemSeconds`, which ended the run. One that was alone
   * is among the failed ones.
   */
  hung?: number[];
  /** Indices of the items whose frames are gone from storage or damaged there; absent: none. */
  lost?: number[];
  /** What the user should know although the items were scored. */
  warnings?: string[];
  timings: WorkTimings;
  /** What the time until `endedAt` went into, in milliseconds; absent in results of older scorers. */
  split?: ScorerSplit;
  times: ScorerTimes;
  /** ONNX Runtime execution provider that ran, e.g. `cpu`; for `auto` also why it is not a better one. */
  device: string;
  /** Whether the model ran in its optimized form; when it should and did not, a clause that says why. Left out: no item was scored. */
  optimized?: boolean | string;
  codec: 'sharp' | 'jimp';
  /** The job's trace, 32 hexadecimal digits; left out where the scorer was told of none. */
  traceId?: string | undefined;
  startedAt: string;
  endedAt: string;
}
