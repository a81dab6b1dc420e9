import { pMapIterable } from 'p-map';
import type { AttemptProgress } from '../container-contract/progress.js';
import type { AttemptResult } from '../container-contract/result.js';
import { type ContainerTime, describeTime, sumSplits } from '../job/attempts/bottleneck.js';
import { containerSeconds, type PhaseSummary, summarize, sumsOf } from '../job/attempts/phases.js';
import {
  addUp,
  type AttemptReport,
  type BatchReport,
  type Counts,
  type FailedReport,
  MOST_FAILED_LISTED,
} from '../job/manifest.js';
import { addShapes, type ShapeSeconds, writeShape } from '../job/estimate/prices.js';
import { batchAt, type BatchPlan, firstBatchOf } from '../job/plan.js';
import { round } from '../job/progress.js';
import { type BatchState, readBatchState } from '../job-store/batches/batch-state.js';
import { type Scored, scoredInTurn } from '../job-store/batches/scored-parts.js';
import { readSettled, readUnscored, type Settled } from '../job-store/batches/settled.js';
import { fileOf, readItems, readListed } from '../job-store/images/items.js';
import { containerName, jobOf, timingsBlob } from '../job-store/layout.js';
import { writeFailedItems } from '../job-store/manifest.js';
import type { ResolvedJob } from '../job-store/resolved-job.js';
import { type Fills, readFills } from '../job-store/videos/frames.js';
import { readTimetable } from '../job-store/videos/video-timing.js';
import { timeOf, type Timetable } from '../media/media.js';
import { readText, type Storage } from '../storage/storage.js';

const READS = 16;

/** What became of the items of a job, and of the containers that it ran. */
export interface JobReport {
  totals: Counts & { attempts: number; reused?: number };
  containerSeconds: number;
  /** Seconds of containers by their shapes. */
  spent: ShapeSeconds;
  scorings: { all: number; wasted: number };
  containerTime: ContainerTime | null;
  phases: PhaseSummary;
  /** What the job's scorers said, each sentence once. */
  warnings: string[];
  /** Batches that were given up. */
  givenUp: number;
  failedItems: FailedReport[];
  batches: BatchReport[];
}

/**
 * Puts together what became of all batches, and writes the list of the items without an output. Only the first of those are in memory, and
 * what one batch says of its items, however many items the job has.
 * @throws Error when the counts do not add up.
 */
export async function reportJob(
  storage: Storage,
  job: ResolvedJob | undefined,
  plan: BatchPlan | undefined,
  { isDelivered }: { isDelivered: boolean },
): Promise<JobReport> {
  const batches: BatchReport[] = [];
  const failedItems: FailedReport[] = [];
  const warnings = new Set<string>();
  let scored = 0;
  let wasted = 0;
  if (job && plan) {
    let describing: Promise<Describe> | undefined;
    const describe = () => (describing ??= createDescription(storage, job, isDelivered));
    const report = (batch: number, known?: Scored) => reportBatch(storage, job, plan, batch, describe, known);
    const reports = pMapIterable(scoredOf(storage, job, plan), ([batch, known]) => report(batch, known), {
      concurrency: READS,
    });
    for await (const each of reports) {
      batches.push(each.report);
      scored += each.scored;
      wasted += each.scored - (each.report.done - (each.report.reused ?? 0));
      for (const item of each.failed) if (failedItems.length < MOST_FAILED_LISTED) failedItems.push(item);
      for (const { warnings: said = [] } of each.report.attempts) for (const sentence of said) warnings.add(sentence);
    }
    const concerned = batches.filter(({ failed, givenUp }) => failed + givenUp > 0);
    const total = concerned.reduce((sum, { failed, givenUp }) => sum + failed + givenUp, 0);
    await writeFailedItems(storage, job.jobId, async function* () {
      if (total === failedItems.length) yield* failedItems;
      else for (const { batch } of concerned) yield* (await report(batch)).failed;
    });
  }
  const attempts = batches.flatMap((batch) => batch.attempts);
  const phases = attempts.flatMap(({ attempt, phases: each }) => (each ? [{ attempt, ...each }] : []));
  return {
    totals: {
      ...addUp(plan?.items ?? 0, batches),
      attempts: batches.reduce((sum, { runs }) => sum + runs, 0),
      ...(job?.spec.reuse === true && { reused: batches.reduce((sum, { reused = 0 }) => sum + reused, 0) }),
    },
    containerSeconds: round(
      attempts.reduce((sum, each) => sum + each.containerSeconds, 0),
      3,
    ),
    spent: addShapes(
      attempts.map(({ compute, place, containerSeconds: each }) => ({ [writeShape({ compute, ...place })]: each })),
    ),
    scorings: { all: scored, wasted },
    containerTime: describeTime(sumSplits(phases.map(({ split }) => split))),
    phases: summarize(sumsOf(phases)),
    warnings: [...warnings],
    givenUp: batches.filter(({ givenUp }) => givenUp > 0).length,
    failedItems,
    batches,
  };
}

/** The numbers of all batches with what was scored of each. */
async function* scoredOf(
  storage: Storage,
  { jobId }: ResolvedJob,
  plan: BatchPlan,
): AsyncGenerator<[batch: number, scored: Scored]> {
  const next = scoredInTurn(storage, jobId);
  for (let k = 0; k < plan.batches; k += 1) {
    const batch = firstBatchOf(plan) + k;
    const { first, count } = batchAt(plan, batch) ?? { first: 0, count: 0 };
    yield [batch, await next(first, count)];
  }
}

type Describe = (
  index: number,
  said: Pick<FailedReport, 'name' | 'reason' | 'blame' | 'batch' | 'attempt'>,
) => FailedReport | Promise<FailedReport>;

/**
 * Adds to a failed image where its output would be, and to a failed frame when it is shown and, where the job made a video of it, what the
 * video shows in its place.
 */
async function createDescription(storage: Storage, job: ResolvedJob, isDelivered: boolean): Promise<Describe> {
  if (!('video' in job))
    return async (index, said) => {
      const [item] = await readListed(storage, job, index, 1).catch(() => []);
      const output = item && fileOf(job, item);
      return { ...said, ...(output !== undefined && { output }) };
    };
  const unscored = await readUnscored(storage, job.jobId);
  if (unscored.size === 0) return (index, said) => ({ ...said, frame: index });
  // Of a job that was ended while its video was split there is none.
  const timetable: Timetable | undefined = await readTimetable(storage, job.jobId).catch(() => undefined);
  const isShown = isDelivered && job.output !== job.predictions;
  const fills: Fills = isShown ? await readFills(storage, job) : new Map();
  return (index, said) => {
    const filledFrom = fills.get(index);
    return {
      ...said,
      frame: index,
      ...(timetable && { time: timeOf(timetable, index) }),
      ...(fills.has(index) && {
        filledWith: filledFrom === undefined ? 'source' : filledFrom < index ? 'previous' : 'next',
      }),
      ...(filledFrom !== undefined && { filledFrom }),
    };
  };
}

interface Reported {
  report: BatchReport;
  failed: FailedReport[];
  /** Items that the batch's runs have scored, as far as it is known. */
  scored: number;
}

async function reportBatch(
  storage: Storage,
  job: ResolvedJob,
  plan: BatchPlan,
  batch: number,
  describe: () => Promise<Describe>,
  listed?: Scored,
): Promise<Reported> {
  const { first, count } = batchAt(plan, batch) ?? { first: 0, count: 0 };
  const settled = await readSettled(storage, job.jobId, batch);
  const last = settled?.attempt ?? 0;
  const state = await readBatchState(storage, job, { batch, first, count }, last, settled?.suspicion, listed);
  const { missing } = state;
  const isGivenUp = settled?.state === 'failed';
  const names = isGivenUp && missing.length > 0 ? await readItems(storage, job, first, count) : [];
  const { blame = 'attempt' } = settled?.ends?.at(-1) ?? {};
  const reason = settled?.message ?? '';
  const left = isGivenUp
    ? missing.map((index) => ({ index, name: names[index - first]?.name ?? '', reason, blame, attempt: last }))
    : [];
  const own = state.failed.map((item) => ({ attempt: last, ...item, blame: 'item' as const }));
  const lost = [...own, ...left].toSorted((one, other) => one.index - other.index);
  const failed: FailedReport[] = [];
  for (const { index, name, reason: why, blame: of, attempt } of lost)
    failed.push(await (await describe())(index, { name, reason: why, blame: of, batch, attempt }));
  const attempts = await reportAttempts(storage, job, { batch, last, settled, state });
  const counts = {
    done: state.done.length,
    failed: own.length,
    givenUp: left.length,
    neverReached: isGivenUp ? 0 : missing.length,
  };
  return {
    report: {
      batch,
      first,
      count,
      ...counts,
      ...(state.reused > 0 && { reused: state.reused }),
      runs: settled?.runs ?? last,
      attempts,
    },
    failed,
    // Of a run that was killed less may be known than it has done.
    scored: Math.max(
      counts.done - state.reused,
      attempts.reduce((sum, { scored }) => sum + scored, 0),
    ),
  };
}

interface Known {
  batch: number;
  /** The last attempt. */
  last: number;
  settled: Settled | undefined;
  state: BatchState;
}

/** Of all attempts of which anything is known. */
async function reportAttempts(storage: Storage, job: ResolvedJob, known: Known): Promise<AttemptReport[]> {
  const { batch, last, settled, state } = known;
  const reports: AttemptReport[] = [];
  for (let attempt = 1; attempt <= last; attempt += 1) {
    const result = state.results.find((each) => each.attempt === attempt);
    const progress = state.unfinished.find((each) => each.attempt === attempt);
    const end = settled?.ends?.find((each) => each.attempt === attempt);
    const phases = settled?.phases.find((each) => each.attempt === attempt);
    if (!result && !progress && !end && !phases) continue;
    reports.push({
      attempt,
      container: containerName(job.jobId, batch, attempt),
      compute: job.spec.compute.kind,
      ...end,
      ...(result ? saidInResult(result) : await saidInProgress(storage, job.jobId, batch, progress)),
      containerSeconds: phases ? containerSeconds(phases) : 0,
      ...(phases && { phases: withoutNumber(phases) }),
    });
  }
  return reports;
}

const withoutNumber = ({ launched, ended, seconds, endedAt, split }: Settled['phases'][number]) => ({
  launched,
  ended,
  seconds,
  endedAt,
  split,
});

const saidInResult = (result: AttemptResult) => ({
  scorer: result.outcome,
  warnings: result.warnings,
  scored: result.done.length,
  skipped: result.skipped.length,
  failed: result.failed.length,
  device: result.device,
  optimized: result.optimized,
  codec: result.codec,
  timings: { ...result.timings },
});

/** A run that was killed had scored more than it had stored: its timings have a line for each item, up to some seconds before its end. */
async function saidInProgress(storage: Storage, jobId: string, batch: number, progress: AttemptProgress | undefined) {
  if (!progress) return { scored: 0, skipped: 0, failed: 0 };
  const { attempt, done, skipped, failed } = progress;
  const timings = (await readText(jobOf(storage, jobId), timingsBlob(batch, attempt))) ?? '';
  const timed = timings.split('\n').filter((line) => line !== '' && !line.includes('"failed":true')).length;
  return { scored: Math.max(done, timed), skipped, failed };
}
