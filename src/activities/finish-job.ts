import { rm } from 'node:fs/promises';
import pMap from 'p-map';
import { type AttemptPhases, summarize, sumsOf } from '../job/phases.js';
import { batchAt, type BatchPlan } from '../job/plan.js';
import type { AttemptResult, FailedItem } from '../container-contract/task.js';
import type { Comparison } from '../media/media.js';
import { COMPARISON, jobOf, MANIFEST, RESOLVED_JOB, settledBlob, workOf } from '../job-store/layout.js';
import { readJson, type Storage, writeJson } from '../storage/storage.js';
import { readBatchState } from '../job-store/batch-state.js';
import type { FinishInput, FinishResult } from './inputs.js';
import { readItems } from '../job-store/items.js';
import { jobFolder } from '../job-store/local-copy.js';
import type { Ports } from './ports.js';
import type { ResolvedJob } from '../job-store/resolved-job.js';
import type { Settled } from './settle-batch.js';

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
export type AttemptReport = ReturnType<typeof reportAttempt>;

const READS = 16;

/** Writes the manifest and removes what the job no longer needs. A failed job keeps its frames, so that nothing is lost. */
export function createFinishJob({ storage, tempFolder }: Pick<Ports, 'storage' | 'tempFolder'>) {
  return async (input: FinishInput): Promise<FinishResult> => {
    const { jobId, plan } = input;
    const job = await readJson<ResolvedJob>(jobOf(storage, jobId), RESOLVED_JOB);
    const batches =
      plan && job
        ? await pMap(batchIndices(plan), (index) => reportBatch(storage, job, plan, index), { concurrency: READS })
        : [];
    const totals = {
      done: sum(batches, (batch) => batch.done),
      failed: sum(batches, (batch) => batch.failed.length),
      attempts: sum(batches, (batch) => batch.attempts),
    };
    const comparison = await readJson<Comparison>(jobOf(storage, jobId), COMPARISON);
    const { outcome, message } = input;
    const manifest = {
      jobId,
      outcome,
      message,
      finishedAt: new Date().toISOString(),
      ...job,
      items: plan?.items ?? 0,
      totals,
      phases: summarize(sumsOf(batches.flatMap((batch) => batch.phases))),
      comparison,
      batches,
    };
    await writeJson(jobOf(storage, jobId), MANIFEST, manifest);
    await rm(jobFolder(tempFolder, jobId), { recursive: true, force: true });
    if (outcome === 'cancelled' || (outcome === 'done' && job?.spec.output.keepFrames === false))
      await workOf(storage, jobId).deleteIfExists();
    return totals;
  };
}

const batchIndices = (plan: BatchPlan) => Array.from({ length: plan.batches }, (_, index) => index);
const sum = <T>(values: T[], of: (value: T) => number) => values.reduce((total, value) => total + of(value), 0);

async function reportBatch(storage: Storage, job: ResolvedJob, plan: BatchPlan, index: number): Promise<BatchReport> {
  const { first, count } = batchAt(plan, index) ?? { first: 0, count: 0 };
  const settled = await readJson<Settled>(jobOf(storage, job.jobId), settledBlob(index));
  const attempts = settled?.attempt ?? 0;
  const state = await readBatchState(storage, job, first, count, index, attempts);
  const names = state.missing.length > 0 ? await readItems(storage, job, first, count) : [];
  const givenUp = state.missing.map((item) => ({
    name: names[item - first]?.name ?? '',
    reason: settled?.message ?? 'never scored',
  }));
  const results = state.results.map((result) => reportAttempt(result));
  return {
    batch: index,
    first,
    count,
    done: state.done.length,
    failed: [...state.failed, ...givenUp],
    attempts,
    results,
    phases: settled?.phases ?? [],
  };
}

function reportAttempt(result: AttemptResult) {
  const { attempt, outcome, failure, device, codec, timings, startedAt, endedAt } = result;
  const counts = { scored: result.done.length, skipped: result.skipped.length };
  return { attempt, outcome, failure, ...counts, device, codec, timings, startedAt, endedAt };
}
