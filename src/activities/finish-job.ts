import pMap from 'p-map';
import type { AttemptResult } from '../container-contract/result.js';
import { describeTime, sumSplits } from '../job/attempts/bottleneck.js';
import { containerSeconds, summarize, sumsOf } from '../job/attempts/phases.js';
import type { Stop } from '../job/attempts/attempt-end.js';
import { batchAt, type BatchPlan, firstBatchOf } from '../job/plan.js';
import { round } from '../job/progress.js';
import type { NoticeChoice } from '../job/notice.js';
import type { Origin } from '../job/inbox/claim.js';
import { parseTraceParent, type TracePlace } from '../job/trace.js';
import { readBatchState } from '../job-store/batches/batch-state.js';
import { readItems } from '../job-store/images/items.js';
import { claimId, readClaim } from '../job-store/inbox/claims.js';
import { givePlaces } from '../job-store/inbox/places.js';
import { quarantine } from '../job-store/inbox/quarantine.js';
import { splitPath, workOf } from '../job-store/layout.js';
import { removeJobFolder } from '../job-store/local-copy.js';
import { writeDoneFile } from '../job-store/job-end.js';
import { type AttemptReport, type BatchReport, type Manifest, writeManifest } from '../job-store/manifest.js';
import { freePlace } from '../job-store/outputs.js';
import { findResolvedJob, placesOf, type ResolvedJob } from '../job-store/resolved-job.js';
import { readSettled } from '../job-store/batches/settled.js';
import { endJob, isSuperseded } from '../job-store/stop.js';
import { hasScored } from '../job-store/batches/scored-parts.js';
import { readEarlierRuns } from '../job-store/earlier-runs.js';
import type { OfRun } from '../job/run.js';
import { readComparison } from '../job-store/videos/video-timing.js';
import type { Storage } from '../storage/storage.js';
import { placeOf } from '../telemetry/ids.js';
import type { Invocation, Ports } from './ports.js';

export interface FinishInput extends OfRun, Pick<Manifest, 'outcome' | 'message'>, Pick<Stop, 'blame'> {
  /** Where the job was started in its trace, for one that has no record yet. */
  traceParent?: string | undefined;
  startedBy?: Origin | undefined;
  /** Where its end is told; where the settings say, when left out. */
  notify?: NoticeChoice[] | undefined;
  /** Absent when the job failed before there was one. */
  plan?: BatchPlan;
}

const READS = 16;
const MOST_WARNINGS = 3;

export interface Finished {
  /** How the job ends: as it was asked for, unless somebody cancelled it before. */
  end: Stop;
  done: number;
  failed: number;
  attempts: number;
  /** What the job's scorers said, each sentence once. */
  warnings: string[];
  /** Where its end is to be told; absent in histories of earlier versions. */
  notify?: NoticeChoice[];
}

/** Writes the manifest and removes what the job no longer needs. One that has scored anything in vain keeps it for its next run. */
export function createFinishJob({
  storage,
  tempFolder,
  telemetry,
  notices,
}: Pick<Ports, 'storage' | 'tempFolder' | 'telemetry' | 'notices'>) {
  return async (
    { jobId, run = 1, outcome: reason, blame, message: why, plan, traceParent, startedBy, notify }: FinishInput,
    invocation?: Invocation,
  ): Promise<Finished> => {
    const end = await endJob(storage, jobId, { reason, blame, message: why, ...(run > 1 && { run }) });
    // A later run has the job's records by now.
    if (isSuperseded(end)) return { end, done: 0, failed: 0, attempts: 0, warnings: [], notify: [] };
    const { reason: outcome, message } = end;
    const job = await findResolvedJob(storage, jobId);
    const batches =
      plan && job
        ? await pMap(batchIndices(plan), (index) => reportBatch(storage, job, plan, index), { concurrency: READS })
        : [];
    const phases = batches.flatMap((batch) => batch.phases);
    const totals = {
      done: sum(batches, (batch) => batch.done),
      failed: sum(batches, (batch) => batch.failed.length),
      attempts: sum(batches, (batch) => batch.attempts),
    };
    const finishedAt = new Date();
    const manifest: Manifest = {
      jobId,
      outcome,
      message,
      finishedAt: finishedAt.toISOString(),
      ...job,
      run,
      items: plan?.items ?? 0,
      totals,
      containerTime: describeTime(sumSplits(phases.map(({ split }) => split))),
      phases: summarize(sumsOf(phases)),
      comparison: await readComparison(storage, jobId),
      batches,
      startedBy: startedBy?.path,
      ...(end.cancelled && { cancelled: end.cancelled }),
      ...(run > 1 && { earlierRuns: await readEarlierRuns(storage, jobId, run) }),
    };
    await writeManifest(storage, manifest);
    await writeDoneFile(storage, manifest);
    const place = placeOf(jobId, job?.trace ?? parseTraceParent(traceParent), invocation?.traceContext?.traceParent);
    const unusable = outcome === 'failed' && end.blame === 'user' && plan === undefined;
    if (unusable && startedBy) await refuseMedia({ storage, telemetry }, startedBy, message, place);
    telemetry.jobEnded({
      jobId,
      place,
      model: job?.spec.model,
      compute: job?.spec.compute.kind,
      outcome,
      blame: end.blame,
      message,
      items: totals.done,
      failedItems: totals.failed,
      attempts: totals.attempts,
      seconds: job && (finishedAt.getTime() - Date.parse(job.createdAt)) / 1000,
      containerSeconds: round(sum(phases, containerSeconds), 3),
    });
    for (const output of placesOf(job)) await freePlace(storage, { jobId, output });
    await givePlaces(storage, [jobId]);
    await removeJobFolder(tempFolder, jobId);
    const isOfUse =
      outcome === 'done'
        ? job?.spec.output.keepFrames !== false
        : // What was scored is for the next run.
          (plan !== undefined && outcome === 'failed') || (await hasScored(storage, jobId));
    if (!isOfUse) await workOf(storage, jobId).deleteIfExists();
    const warnings = new Set(batches.flatMap(({ results }) => results.flatMap((result) => result.warnings ?? [])));
    return {
      end,
      ...totals,
      warnings: [...warnings].slice(0, MOST_WARNINGS),
      notify: notify ?? notices.usual,
    };
  };
}

/** New media that turns out to be unusable when it is looked into, such as a video that cannot be read, is refused like that which starts no job. */
async function refuseMedia(
  { storage, telemetry }: Pick<Ports, 'storage' | 'telemetry'>,
  { path, etag }: Origin,
  message: string,
  place: TracePlace,
): Promise<void> {
  const { container, blob: name } = splitPath(path);
  const claim = await readClaim(storage, claimId({ account: storage.media.accountName, container, name, etag }));
  if (!claim) return;
  await quarantine(storage, claim, message);
  telemetry.mediaRefused({ claim: claim.claim, blob: path, place, message });
}

const batchIndices = (plan: BatchPlan) => Array.from({ length: plan.batches }, (_, k) => firstBatchOf(plan) + k);
const sum = <T>(values: T[], of: (value: T) => number) => values.reduce((total, value) => total + of(value), 0);

async function reportBatch(storage: Storage, job: ResolvedJob, plan: BatchPlan, batch: number): Promise<BatchReport> {
  const { first, count } = batchAt(plan, batch) ?? { first: 0, count: 0 };
  const settled = await readSettled(storage, job.jobId, batch);
  const attempts = settled?.attempt ?? 0;
  const state = await readBatchState(storage, job, { batch, first, count }, attempts, settled?.suspicion);
  const names = state.missing.length > 0 ? await readItems(storage, job, first, count) : [];
  const givenUp = state.missing.map((item) => ({
    name: names[item - first]?.name ?? '',
    reason: settled?.message ?? 'never scored',
  }));
  return {
    batch,
    first,
    count,
    done: state.done.length,
    failed: [...state.failed.map(({ name, reason }) => ({ name, reason })), ...givenUp],
    attempts: settled?.runs ?? attempts,
    results: state.results.map((result) => reportAttempt(result)),
    phases: settled?.phases ?? [],
  };
}

function reportAttempt(result: AttemptResult): AttemptReport {
  const { attempt, outcome, failure, warnings, device, optimized, codec, timings, startedAt, endedAt } = result;
  const counts = { scored: result.done.length, skipped: result.skipped.length };
  return { attempt, outcome, failure, warnings, ...counts, device, optimized, codec, timings, startedAt, endedAt };
}
