import type { Device } from '../job/device.js';
import type { ModelCard } from '../model-card/schema.js';
import type { PhaseTimes } from '../job/phases.js';

/**
 * One image to score. `output` is a blob name in the media work container of the job, and so is `input`, unless the scorer is
 * given another container for inputs.
 */
export interface TaskItem {
  /** Unique within the job: `0000042`, or a picture's name below the job's prefix. */
  name: string;
  input: string;
  output: string;
}

/** What one container run has to do: the task blob, written by `launchBatch` and read by the scorer. */
export interface ScoreTask {
  jobId: string;
  batch: number;
  /** 1 for the first container run of the batch. */
  attempt: number;
  items: TaskItem[];
  /** Complete: every default has been filled in from the model. */
  card: ModelCard;
  /** Left out: `auto`. */
  device?: Device;
  /** Blob names in the internal job container that the scorer writes. */
  progressBlob: string;
  resultBlob: string;
  logBlob: string;
}

/** Milliseconds of work per phase, added up over the items; phases overlap, so the sum exceeds `wall`. */
export interface PhaseTimings {
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

/** When the scorer reached the phases that it knows of, ISO 8601. */
export type ScorerTimes = Pick<PhaseTimes, 'modelLoaded' | 'firstItem' | 'lastItem'>;

/** Written once a second at least; the counts also stand in the blob's metadata as decimal text. */
export interface AttemptProgress {
  batch: number;
  attempt: number;
  total: number;
  done: number;
  /** Items whose output existed already. */
  skipped: number;
  failed: number;
  phase: 'starting' | 'scoring' | 'ended';
  startedAt: string;
  /** When the number of handled items last changed (start-up counts): what the stall watchdog looks at. */
  lastItemAt: string;
  times: ScorerTimes;
  updatedAt: string;
}

/** The scorer's own account of a container run: the result blob. */
export interface AttemptResult {
  jobId: string;
  batch: number;
  attempt: number;
  /** `interrupted`: SIGTERM arrived; `failed`: see `failure`. */
  outcome: 'completed' | 'interrupted' | 'failed';
  failure?: { kind: 'user' | 'platform'; message: string };
  /** Names of the items scored by this run. */
  done: string[];
  /** Names of the items whose output existed already. */
  skipped: string[];
  failed: FailedItem[];
  timings: PhaseTimings;
  times: ScorerTimes;
  /** ONNX Runtime execution provider that ran, e.g. `cpu`; of `auto` also why it is not a better one. */
  device: string;
  /** Whether the model ran in its optimized form; when it should and did not, a clause that says why. Left out: no item was scored. */
  optimized?: boolean | string;
  codec: 'sharp' | 'jimp';
  startedAt: string;
  endedAt: string;
}
