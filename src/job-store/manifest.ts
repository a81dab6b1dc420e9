import type { AttemptResult, FailedItem } from '../container-contract/result.js';
import type { ContainerTime } from '../job/attempts/bottleneck.js';
import type { Cancelled } from '../job/attempts/attempt-end.js';
import type { AttemptPhases, PhaseSummary } from '../job/attempts/phases.js';
import type { Comparison } from '../media/media.js';
import { type Storage, writeJson } from '../storage/storage.js';
import { jobOf, MANIFEST } from './layout.js';
import type { ResolvedJob } from './resolved-job.js';

/** What became of a job: the last record that a job writes. Of a job that failed before it was resolved only the outcome is known. */
export type Manifest = Partial<ResolvedJob> & Outcome;

interface Outcome {
  jobId: string;
  /** Absent: the first. */
  run?: number;
  outcome: 'done' | 'failed' | 'cancelled';
  /** Why the job failed; '' when it did not. */
  message: string;
  /** ISO 8601. */
  finishedAt: string;
  /** Who has cancelled the job, and when. */
  cancelled?: Cancelled;
  /** Path of what started it in the inbox; absent of a job that a request started. */
  startedBy?: string | undefined;
  items: number;
  totals: { done: number; failed: number; attempts: number };
  /** Where the time of the containers went. */
  containerTime: ContainerTime | null;
  phases: PhaseSummary;
  comparison: Comparison | undefined;
  /** Of this run: it leaves alone what earlier ones have done. */
  batches: BatchReport[];
  /** Those before this one; absent in the first. */
  earlierRuns?: EarlierRun[];
}

/** A run that has ended, in the manifest of a later one. */
export interface EarlierRun extends Pick<Outcome, 'outcome' | 'message' | 'finishedAt' | 'totals'> {
  run: number;
  /** Of its manifest, in the container of the job's records. */
  manifest: string;
}

/** One batch in the manifest. */
export interface BatchReport {
  batch: number;
  first: number;
  count: number;
  done: number;
  failed: FailedItem[];
  /** Container runs, whether or not they managed to write a result. */
  attempts: number;
  results: AttemptReport[];
  /** How long the phases of each container run took, as far as they were seen. */
  phases: AttemptPhases[];
}

/** One container run in the manifest: its result, with counts in place of the names. */
export interface AttemptReport extends Pick<
  AttemptResult,
  | 'attempt'
  | 'outcome'
  | 'failure'
  | 'warnings'
  | 'device'
  | 'optimized'
  | 'codec'
  | 'timings'
  | 'startedAt'
  | 'endedAt'
> {
  scored: number;
  skipped: number;
}

export const writeManifest = (storage: Storage, manifest: Manifest) =>
  writeJson(jobOf(storage, manifest.jobId), MANIFEST, manifest);

/** Whether the job has done all that it ever will. */
export const hasManifest = (storage: Storage, jobId: string) => jobOf(storage, jobId).getBlobClient(MANIFEST).exists();
