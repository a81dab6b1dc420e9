import type { ContainerClient } from '@azure/storage-blob';
import type { DurableOrchestrationStatus } from 'durable-functions';
import { type PhaseSummary, type PhaseSums, summarize, sumPhases } from '../job/phases.js';
import {
  type BatchCounts,
  countProgress,
  estimate,
  type ItemCounts,
  type PublishedStatus,
  type RunningCounts,
  type SettledCounts,
  type Stage,
} from '../job/progress.js';
import type { JobOutput } from '../orchestrators/score-job.js';
import {
  parseBatchBlob,
  type OwnStage,
  PROGRESS_PREFIX,
  SETTLED_PREFIX,
  stageProgressPrefix,
  WAITING_PREFIX,
} from '../storage/layout.js';
import { isNotFound, jobOf, type Storage } from '../storage/storage.js';

export interface JobStatus {
  id: string;
  state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled';
  stage: Stage | null;
  /** Items handled by the current stage while a video is split or stitched, or images are listed or collected; else scored ones. */
  items: ItemCounts;
  batches: BatchCounts;
  /** Container runs that were settled. */
  attempts: number;
  /** Why batches wait for their next container: at most three reasons. */
  waiting: string[];
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

/** Reads two short listings whose metadata hold all counts, however many items the job has. */
export async function readJobProgress(
  storage: Storage,
  id: string,
  status: DurableOrchestrationStatus,
  published: PublishedStatus | undefined,
  now: number,
): Promise<JobStatus> {
  const container = jobOf(storage, id);
  const current = published?.stages.at(-1);
  const stages = Object.fromEntries(
    (published?.stages ?? []).map((time) => [time.stage, time.seconds ?? (now - time.startedAt) / 1000]),
  );
  const { items, batches, attempts, waiting, phases } = await counts(container, published);
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

async function counts(
  container: ContainerClient,
  published: PublishedStatus | undefined,
): Promise<Pick<JobStatus, 'items' | 'batches' | 'attempts' | 'waiting' | 'phases'>> {
  const stage = published?.stages.at(-1)?.stage;
  const none = { total: 0, pending: 0, running: 0, done: 0, failed: 0 };
  const [settled, reports, waiting, own] = await Promise.all([
    list(container, SETTLED_PREFIX),
    list(container, PROGRESS_PREFIX),
    stage === 'score' ? list(container, WAITING_PREFIX) : [],
    isOwnStage(stage) ? stageDone(container, stage) : undefined,
  ]);
  const scored = {
    ...(published?.plan
      ? countProgress(published.plan, settled as SettledCounts[], reports)
      : { items: { total: published?.items ?? 0, done: 0, failed: 0 }, batches: none }),
    attempts: settled.reduce((sum, { attempt }) => sum + attempt, 0),
    waiting: reasons(waiting, settled, reports),
    phases: summarize(sumPhases(settled.map((batch) => batch.phases))),
  };
  return own === undefined
    ? scored
    : { ...scored, items: { ...scored.items, total: Math.max(scored.items.total, own), done: own } };
}

/** A batch that is over, or has a container that reports, does not wait any more. */
function reasons(waiting: Listed[], settled: Listed[], reports: Listed[]): string[] {
  const attempts = new Map(settled.map(({ batch, attempt }) => [batch, attempt]));
  const over = settled.filter(({ state }) => state !== 'retrying');
  const running = reports.filter(({ batch, attempt }) => attempt > (attempts.get(batch) ?? 0));
  const busy = new Set([...over, ...running].map(({ batch }) => batch));
  const told = waiting.filter(({ batch }) => !busy.has(batch)).map(({ reason }) => reason);
  return [...new Set(told)].slice(0, MOST_REASONS);
}

const MOST_REASONS = 3;

function isOwnStage(stage: Stage | undefined): stage is OwnStage {
  return stage === 'split' || stage === 'stitch' || stage === 'list' || stage === 'collect';
}

/** Items that a stage, or the chunks of one, have reported. */
async function stageDone(container: ContainerClient, stage: OwnStage): Promise<number> {
  let done = 0;
  try {
    for await (const { metadata } of container.listBlobsFlat({
      prefix: stageProgressPrefix(stage),
      includeMetadata: true,
    }))
      done += Number(metadata?.done ?? 0);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return done;
}

type Listed = RunningCounts & { state: string; reason: string; phases: PhaseSums };

async function list(container: ContainerClient, prefix: string): Promise<Listed[]> {
  const found: Listed[] = [];
  try {
    for await (const { name, metadata } of container.listBlobsFlat({ prefix, includeMetadata: true })) {
      const key = parseBatchBlob(name);
      if (!key || !metadata) continue;
      const number = (field: string) => Number(metadata[field] ?? 0);
      const attempt = key.attempt || number('attempt');
      found.push({
        batch: key.batch,
        attempt,
        done: number('done'),
        skipped: number('skipped'),
        failed: number('failed'),
        state: metadata.state ?? '',
        reason: decodeURIComponent(metadata.reason ?? ''),
        phases: JSON.parse(metadata.phases ?? '{}') as PhaseSums,
      });
    }
  } catch (error) {
    // The job has no container before its first activity ran.
    if (!isNotFound(error)) throw error;
  }
  return found;
}
