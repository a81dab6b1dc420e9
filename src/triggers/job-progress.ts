import type { DurableOrchestrationStatus } from 'durable-functions';
import type { PhaseSummary } from '../job/phases.js';
import { type BatchCounts, estimate, type ItemCounts, type PublishedStatus, type Stage } from '../job/progress.js';
import type { JobOutput } from '../orchestrators/score-job.js';
import { jobOf } from '../job-store/layout.js';
import { type Storage } from '../storage/storage.js';
import { readCounts } from '../job-store/job-counts.js';

export interface JobStatus {
  id: string;
  state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled';
  stage: Stage | null;
  /** Items handled by the current stage while a video is split or stitched, or images are listed or collected; else scored ones. */
  items: ItemCounts;
  batches: BatchCounts;
  /** Container runs that were settled. */
  attempts: number;
  /** Which batches wait, for their next container or for a look at the one they have, and why: at most three reasons. */
  waiting: string[];
  /** Items of the current stage per second; of an ended job the scored ones. Null until something is done. */
  itemsPerSecond: number | null;
  /** @deprecated The same number under its old name, for one release. */
  framesPerSecond: number | null;
  secondsLeft: number | null;
  /** Seconds that the phases of the settled container runs took. */
  phases: PhaseSummary;
  /** Seconds per stage; the current stage up to now. */
  stages: Partial<Record<Stage, number>>;
  warnings: string[];
  error: { kind: 'user' | 'platform'; message: string } | null;
  /** Path of the finished video in the media storage account, or the prefix of all outputs of an image folder. */
  output: string | null;
  createdAt: string;
}

/** A job's progress from its orchestration's status, what its orchestrator has published and what its batches have reported. */
export async function readJobProgress(
  storage: Storage,
  id: string,
  status: DurableOrchestrationStatus,
  published: PublishedStatus | undefined,
  now: number,
): Promise<JobStatus> {
  const current = published?.stages.at(-1);
  const stages = Object.fromEntries(
    (published?.stages ?? []).map((time) => [time.stage, time.seconds ?? (now - time.startedAt) / 1000]),
  );
  const { items, batches, attempts, waiting, phases } = await readCounts(jobOf(storage, id), published);
  const state = stateOf(status, published);
  const running = state === 'running' && current !== undefined && current.stage !== 'finish';
  const elapsed = current ? (now - current.startedAt) / 1000 : 0;
  // Stitching encodes what splitting decoded; a little slower, as measured in docs/benchmarks.md.
  const after = current?.stage === 'score' ? (stages.split ?? 0) * 1.5 : 0;
  const { rate, secondsLeft } = running
    ? estimate(items.done, items.total, elapsed, after)
    : overall(items.total, stages.score);
  const output = status.output as Partial<JobOutput> | string | null;
  return {
    id,
    state,
    stage: current?.stage ?? null,
    items,
    batches,
    attempts,
    waiting: running ? waiting : [],
    itemsPerSecond: rate,
    framesPerSecond: rate,
    secondsLeft: running && current.stage !== 'split' && current.stage !== 'list' ? secondsLeft : null,
    phases,
    stages: roundAll(stages),
    warnings: published?.warnings ?? [],
    error: errorOf(state, status, published),
    output: state === 'done' && typeof output === 'object' ? (output?.output ?? null) : null,
    createdAt: new Date(status.createdTime).toISOString(),
  };
}

const overall = (items: number, seconds: number | undefined) => ({
  rate: seconds ? Math.round((items / seconds) * 100) / 100 : null,
  secondsLeft: null,
});

const roundAll = (stages: Record<string, number>) =>
  Object.fromEntries(Object.entries(stages).map(([stage, seconds]) => [stage, Math.round(seconds * 1000) / 1000]));

function stateOf(status: DurableOrchestrationStatus, published: PublishedStatus | undefined): JobStatus['state'] {
  const name: string = status.runtimeStatus;
  if (name === 'Completed') return 'done';
  if (name === 'Terminated' || name === 'Canceled' || (name === 'Failed' && published?.cancelled)) return 'cancelled';
  if (name === 'Failed') return 'failed';
  return name === 'Pending' ? 'queued' : 'running';
}

function errorOf(
  state: JobStatus['state'],
  status: DurableOrchestrationStatus,
  published: PublishedStatus | undefined,
): JobStatus['error'] {
  if (state !== 'failed' && state !== 'cancelled') return null;
  return (
    published?.error ?? {
      kind: 'platform',
      message: state === 'cancelled' ? 'The job was terminated.' : String(status.output),
    }
  );
}
