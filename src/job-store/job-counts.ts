import type { ContainerClient } from '@azure/storage-blob';
import { type PhaseSummary, type PhaseSums, summarize, sumPhases } from '../job/phases.js';
import {
  type BatchCounts,
  countProgress,
  type ItemCounts,
  type PublishedStatus,
  type RunningCounts,
  type SettledCounts,
  type Stage,
} from '../job/progress.js';
import {
  type OwnStage,
  parseBatchBlob,
  PROGRESS_PREFIX,
  SETTLED_PREFIX,
  stageProgressPrefix,
  WAITING_PREFIX,
} from './layout.js';
import { isNotFound } from '../storage/storage.js';

interface Counts {
  items: ItemCounts;
  batches: BatchCounts;
  /** Container runs that were settled. */
  attempts: number;
  /** Which batches wait and why. */
  waiting: string[];
  phases: PhaseSummary;
}

/**
 * The counts behind a job's progress, from a few short listings whose metadata hold them, however many items the job has.
 * While a stage of the app's own runs, `items` are what that stage has handled.
 */
export async function readCounts(container: ContainerClient, published: PublishedStatus | undefined): Promise<Counts> {
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

const MOST_REASONS = 3;
const MOST_NAMED = 3;

/** Which batches wait and why. One that is over, or whose next attempt reports already, does not wait any more. */
function reasons(waiting: Listed[], settled: Listed[], reports: Listed[]): string[] {
  const over = new Set(settled.filter(({ state }) => state !== 'retrying').map(({ batch }) => batch));
  const reported = new Set(reports.map(({ batch, attempt }) => `${batch} ${attempt}`));
  const waiters = new Map<string, number[]>();
  for (const { batch, attempt, reason } of waiting) {
    if (over.has(batch) || reported.has(`${batch} ${attempt + 1}`)) continue;
    waiters.set(reason, [...(waiters.get(reason) ?? []), batch]);
  }
  return [...waiters].slice(0, MOST_REASONS).map(([reason, batches]) => `${naming(batches)}: ${reason}`);
}

function naming(batches: number[]): string {
  const named = batches.slice(0, MOST_NAMED).join(', ');
  const more = batches.length > MOST_NAMED ? ` and ${batches.length - MOST_NAMED} more` : '';
  return `${batches.length === 1 ? 'Batch' : 'Batches'} ${named}${more}`;
}

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
