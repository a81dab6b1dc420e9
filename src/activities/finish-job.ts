import type { Stop } from '../job/attempts/attempt-end.js';
import { counted, fewWarnings, shorten } from '../job/failure.js';
import type { Origin } from '../job/inbox/claim.js';
import { MANIFEST_VERSION, nameFailed } from '../job/manifest.js';
import type { NoticeChoice } from '../job/notice.js';
import type { BatchPlan } from '../job/plan.js';
import { costOf, PRICES, type PriceTable } from '../job/estimate/prices.js';
import { round } from '../job/progress.js';
import { inputOf, type JobSpec } from '../job/spec.js';
import { excessOf, tooManyLost } from '../job/tolerance.js';
import { parseTraceParent, type TracePlace } from '../job/trace.js';
import { claimId, readClaim } from '../job-store/inbox/claims.js';
import { givePlaces } from '../job-store/inbox/places.js';
import { quarantine } from '../job-store/inbox/quarantine.js';
import { writeDoneFile } from '../job-store/job-end.js';
import { endEntry, endOfManifest, type EntryKey, findAccepted, isListed } from '../job-store/list/job-list.js';
import { jobOf, splitPath, workOf } from '../job-store/layout.js';
import { removeJobFolder } from '../job-store/local-copy.js';
import { listDelivered, type Manifest, readDelivered, readManifest, writeManifest } from '../job-store/manifest.js';
import { freePlace, placesNamed } from '../job-store/outputs.js';
import { keepsParts, offerForReuse, removeAllButParts } from '../job-store/reuse/offer.js';
import { findResolvedJob, placesOf, type ResolvedJob } from '../job-store/resolved-job.js';
import { endJob, isSuperseded } from '../job-store/stop.js';
import { hasScored } from '../job-store/batches/scored-parts.js';
import { readEarlierRuns } from '../job-store/earlier-runs.js';
import type { OfRun } from '../job/run.js';
import { hasThumbnail } from '../job-store/list/thumbnail.js';
import { countMended } from '../job-store/videos/mended.js';
import { readComparison } from '../job-store/videos/video-timing.js';
import type { Storage } from '../storage/storage.js';
import { placeOf } from '../telemetry/ids.js';
import type { Invocation, Ports } from './ports.js';
import { type JobReport, reportJob } from './report-job.js';

/** What had gone from storage, or was damaged there, when the result was made. */
export interface Healed {
  /** Items that were scored again. */
  scoredAgain: number;
  /** Says in one sentence what else it was, that was made again; the first, where there were several. */
  madeAgain?: string;
}

export interface FinishInput extends OfRun, Pick<Manifest, 'outcome' | 'message'>, Pick<Stop, 'blame'> {
  /** Where the job was started in its trace, for one that has no record yet. */
  traceParent?: string | undefined;
  startedBy?: Origin | undefined;
  /** When its first run was accepted, in milliseconds since the epoch; absent where nobody knows. */
  acceptedAt?: number | undefined;
  /** Where its end is told: where the specification says, or else the settings, when left out. */
  notify?: NoticeChoice[] | undefined;
  /** Absent when the job failed before there was one. */
  plan?: BatchPlan;
  /** Absent: nothing. */
  healed?: Healed;
  /** The specification, for a job that has no record yet. */
  asked?: JobSpec | undefined;
}

const MOST_WARNINGS = 3;

export interface Finished {
  /** How the job ends: as it was asked for, unless somebody cancelled it before. */
  end: Stop;
  done: number;
  failed: number;
  /** How many were taken over from other jobs; absent of a job that does not ask for it. */
  reused?: number;
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
  prices = PRICES,
}: Pick<Ports, 'storage' | 'tempFolder' | 'telemetry' | 'notices' | 'prices'>) {
  return async (
    {
      jobId,
      run = 1,
      outcome: reason,
      blame,
      message: why,
      asked,
      plan,
      healed,
      traceParent,
      startedBy,
      acceptedAt,
      notify,
    }: FinishInput,
    invocation?: Invocation,
  ): Promise<Finished> => {
    const asItEnds: Stop = { reason, blame, message: why, ...(run > 1 && { run }) };
    const job = await findResolvedJob(storage, jobId);
    if (!job && acceptedAt !== undefined && (await isForgotten(storage, { jobId, acceptedAt })))
      return nothingMore(asItEnds);
    const decided = await endJob(storage, jobId, asItEnds);
    // A later run has the job's records by now.
    if (isSuperseded(decided)) return nothingMore(decided);
    const ended = { jobId, run, job, plan, healed, asked: asked ?? job?.asked, startedBy };
    const manifest = await manifestOnce(storage, prices, decided, ended);
    const { outcome, message, totals, finishedAt } = manifest;
    const end: Stop = { ...decided, reason: outcome, blame: manifest.blame ?? 'user', message: shorten(message) };
    await writeDoneFile(storage, manifest);
    await listEnd(storage, manifest, acceptedAt);
    const place = placeOf(jobId, job?.trace ?? parseTraceParent(traceParent), invocation?.traceContext?.traceParent);
    const unusable = outcome === 'failed' && end.blame === 'user' && plan === undefined;
    if (unusable && startedBy) await refuseMedia({ storage, telemetry }, startedBy, message, place);
    telemetry.jobEnded({
      jobId,
      run,
      place,
      model: job?.spec.model,
      compute: job?.spec.compute.kind,
      outcome,
      blame: end.blame,
      message,
      items: totals.done,
      failedItems: totals.failed + totals.givenUp + totals.neverReached,
      reusedItems: totals.reused,
      attempts: totals.attempts,
      // A run that ends before it is prepared finds the record of the one before.
      seconds: job && (job.run ?? 1) === run ? (Date.parse(finishedAt) - Date.parse(job.createdAt)) / 1000 : undefined,
      containerSeconds: manifest.containerSeconds,
    });
    const outputs = job ? placesOf(job) : asked ? placesNamed(asked) : [];
    for (const output of outputs) await freePlace(storage, { jobId, output });
    await givePlaces(storage, [jobId]);
    await removeJobFolder(tempFolder, jobId);
    if (job) await offerForReuse(storage, job, outcome);
    const isOfUse =
      outcome === 'done'
        ? job?.spec.output.keepFrames !== false || keepsParts(job)
        : // What was scored is for the next run.
          (plan !== undefined && outcome === 'failed') || (await hasScored(storage, jobId));
    if (!isOfUse) await workOf(storage, jobId).deleteIfExists();
    else if (outcome === 'done' && job?.spec.output.keepFrames === false) await removeAllButParts(storage, jobId);
    return {
      end,
      done: totals.done,
      failed: totals.failed + totals.givenUp,
      ...(totals.reused !== undefined && { reused: totals.reused }),
      attempts: totals.attempts,
      warnings: fewWarnings(manifest.warnings),
      notify: notify ?? asked?.notify ?? notices.usual,
    };
  };
}

/** What comes of it where the end of the run is none of the job any more. */
const nothingMore = (end: Stop): Finished => ({ end, done: 0, failed: 0, attempts: 0, warnings: [], notify: [] });

/** Whether the end was written down before and the job's records have been removed since. One that has no records yet is listed. */
const isForgotten = async (storage: Storage, key: EntryKey) =>
  !(await isListed(storage, key)) && !(await jobOf(storage, key.jobId).exists());

/** Says in the list of jobs how one has ended. */
async function listEnd(storage: Storage, manifest: Manifest, accepted: number | undefined): Promise<void> {
  const { jobId, run, asked, resolved, createdAt } = manifest;
  const spec = asked ?? resolved?.spec;
  const acceptedAt = accepted ?? (await findAccepted(storage, jobId)) ?? Date.parse(createdAt ?? '');
  if (Number.isNaN(acceptedAt)) return;
  const listed = spec && { input: inputOf(spec), model: spec.model, compute: spec.compute.kind };
  await endEntry(storage, { jobId, acceptedAt, run }, endOfManifest(manifest), listed);
}

interface Ended extends Pick<Manifest, 'jobId' | 'run' | 'asked'> {
  job: ResolvedJob | undefined;
  plan: BatchPlan | undefined;
  healed: Healed | undefined;
  startedBy: Origin | undefined;
}

/**
 * Writes the manifest, once: whoever finishes the job again may find that what it tells of is gone, and goes by what it says. A job that
 * has lost more than it tolerates fails with the names of what it has lost, and none is done with fewer outputs than it tolerates.
 */
async function manifestOnce(storage: Storage, prices: PriceTable, decided: Stop, ended: Ended): Promise<Manifest> {
  const { jobId, run, job, plan, healed, asked, startedBy } = ended;
  const written = await readManifest(storage, jobId);
  if (written?.version === MANIFEST_VERSION && written.run === run) return written as Manifest;
  const report = await reportJob(storage, job, plan, { isDelivered: decided.reason === 'done' });
  const { reason: outcome, blame, message } = judge(decided, { job, plan, report });
  const { totals, givenUp: _, warnings, spent, ...reported } = report;
  const usd = costOf(prices, spent);
  const folder = placesOf(job).find((place) => place.endsWith('/'));
  const manifest: Manifest = {
    version: MANIFEST_VERSION,
    jobId,
    run,
    outcome,
    message,
    ...(decided.cancelled && { cancelled: decided.cancelled }),
    blame: outcome === 'done' ? null : blame,
    ...(job && { createdAt: job.createdAt }),
    finishedAt: new Date().toISOString(),
    startedBy: startedBy?.path,
    asked,
    resolved: withoutAsked(job),
    ...(run > 1 && { earlierRuns: await readEarlierRuns(storage, jobId, run) }),
    items: plan?.items ?? 0,
    totals,
    ...reported,
    cost: usd === undefined ? null : { usd: round(usd, 6), pricesAsOf: prices.asOf },
    comparison: await readComparison(storage, jobId),
    ...(outcome === 'done' && (await hasThumbnail(storage, jobId)) && { thumbnail: true }),
    warnings: [
      ...(outcome === 'done' ? toleratedWarning(job, plan, report) : []),
      ...mendedWarning(await countMended(storage, jobId)),
      ...healedWarnings(job, healed),
      ...warnings.slice(0, MOST_WARNINGS),
    ],
    outputs: {
      files: job ? await readDelivered(storage, job) : [],
      folder: folder === undefined ? undefined : await listDelivered(storage, jobId, folder),
    },
  };
  await writeManifest(storage, manifest);
  return manifest;
}

function withoutAsked(job: ResolvedJob | undefined): ResolvedJob | undefined {
  if (!job) return undefined;
  const { asked: _, ...resolved } = job;
  return resolved;
}

interface Reported extends Pick<Ended, 'job' | 'plan'> {
  report: JobReport;
}

function judge(decided: Stop, { job, plan, report }: Reported): Pick<Stop, 'reason' | 'blame' | 'message'> {
  const { failed, givenUp: missing, neverReached } = report.totals;
  if (plan && decided.reason === 'done' && neverReached > 0)
    return {
      reason: 'failed',
      blame: 'platform',
      message: `The outputs of ${counted(neverReached, 'item')} went from storage while the job ended.`,
    };
  if (!job || !plan || decided.reason !== 'failed' || decided.exceeded !== true) return decided;
  const excess = excessOf(job.spec.tolerate, plan.items, { failed, missing, batches: report.givenUp });
  if (!excess) return decided;
  return { ...decided, message: tooManyLost(excess, nameFailed(report.failedItems, failed + missing)) };
}

/** @param frames that were split again. */
function mendedWarning(frames: number): string[] {
  const were = frames === 1 ? 'was' : 'were';
  return frames === 0
    ? []
    : [
        `${counted(frames, 'frame')} ${were} gone from storage, or damaged there, before being scored, and ${were} split from the video again.`,
      ];
}

function healedWarnings(
  job: ResolvedJob | undefined,
  { scoredAgain, madeAgain }: Healed = { scoredAgain: 0 },
): string[] {
  const scored = counted(scoredAgain, job && 'video' in job ? 'scored frame' : 'scored image');
  const were = scoredAgain === 1 ? 'was' : 'were';
  return [
    ...(scoredAgain > 0
      ? [`${scored} ${were} gone from storage, or damaged there, before the result was made, and ${were} scored again.`]
      : []),
    ...(madeAgain === undefined ? [] : [`${madeAgain} It was made again.`]),
  ];
}

/** Says what a job that is done is done without. */
function toleratedWarning(
  job: ResolvedJob | undefined,
  plan: BatchPlan | undefined,
  { totals, failedItems }: JobReport,
): string[] {
  const lost = totals.failed + totals.givenUp;
  if (!job || !plan || lost === 0) return [];
  const names = nameFailed(failedItems, lost);
  if (!('video' in job))
    return [
      `${lost} of ${counted(plan.items, 'image')} could not be scored and ${lost === 1 ? 'has' : 'have'} no output, as the job tolerates (${names}).`,
    ];
  const shown =
    job.output === job.predictions
      ? `${lost === 1 ? 'has' : 'have'} no predictions`
      : job.spec.tolerate.fill === 'previous' || job.images !== undefined
        ? `${lost === 1 ? 'shows' : 'show'} the frame before`
        : `${lost === 1 ? 'is' : 'are'} shown as ${lost === 1 ? 'it' : 'they'} came`;
  return [
    `${lost} of ${counted(plan.items, 'frame')} could not be scored and ${shown}, as the job tolerates (${names}).`,
  ];
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
