import type { DurableOrchestrationStatus } from 'durable-functions';
import type { JobStatus } from '../../api/jobs.js';
import type { NextTurn } from '../../job/attempts/room.js';
import { nameBottleneck } from '../../job/attempts/advice.js';
import { describeTime, sumSplits } from '../../job/attempts/bottleneck.js';
import { summarize, sumPhases } from '../../job/attempts/phases.js';
import { costInAll } from '../../job/estimate/estimate.js';
import { addShapes, costOf, hourly, PRICES, type PriceTable, type ShapeSeconds } from '../../job/estimate/prices.js';
import {
  type BatchCounts,
  countProgress,
  estimate,
  type ItemCounts,
  LONGEST_PAUSE,
  type PublishedStatus,
  round,
  secondsSince,
  type SettledCounts,
  type Stage,
} from '../../job/progress.js';
import type { JobSpec } from '../../job/spec.js';
import type { OwnStage } from '../../job-store/layout.js';
import { computeOf, readResolvedJob } from '../../job-store/resolved-job.js';
import { type JobNow, nothingNow, readNow, readNowIn, type Report } from '../../job-store/now.js';
import type { ListedSettled } from '../../job-store/batches/settled.js';
import { outsideEnd, type WaitingHere } from '../job-watch.js';
import type { JobOutput } from '../../orchestrators/score-job.js';
import type { Storage } from '../../storage/storage.js';

/** What the durable client says of the job's orchestration. */
type Orchestration = Pick<DurableOrchestrationStatus, 'runtimeStatus' | 'output' | 'createdTime' | 'lastUpdatedTime'>;

/**
 * A job's status from its orchestration, what its orchestrator has published and what its batches have reported.
 * @param now milliseconds since the epoch.
 * @param here why the job has to wait, as far as only this process knows.
 * @param spec what the job was told to do, as far as it is known.
 * @param prices what containers cost.
 */
export async function readJobStatus(
  storage: Storage,
  id: string,
  status: Orchestration,
  published: PublishedStatus | undefined,
  {
    now,
    here = [],
    spec = null,
    prices = PRICES,
  }: { now: number; here?: WaitingHere[]; spec?: JobSpec | null; prices?: PriceTable | undefined },
): Promise<JobStatus> {
  const current = published?.stages.at(-1);
  const state = stateOf(status, published);
  const isOver = state !== 'running' && state !== 'queued';
  // The stage of a job that was ended from outside goes on no longer.
  const until = isOver ? new Date(status.lastUpdatedTime).getTime() : now;
  const stages = Object.fromEntries(
    (published?.stages ?? []).map((time) => [time.stage, time.seconds ?? secondsSince(time, until)]),
  );
  const counts = await readCounts(storage, id, published, { isOver, now, here });
  const cost = await readCost(storage, id, published, { ...counts, prices, isOver, now });
  const { items, asOf, batches, attempts, retries, ranOn, waiting, containerTime, phases } = counts;
  const running = state === 'running' && current !== undefined && current.stage !== 'finish';
  const elapsed = current ? secondsSince(current, asOf) : 0;
  // Stitching encodes what splitting decoded; a little slower, as measured in docs/lab/benchmarks.md.
  const after = current?.stage === 'score' ? (stages.split ?? 0) * 1.5 * (published?.enlarged ?? 1) : 0;
  const { rate, secondsLeft } = running
    ? estimate(counts.handled, counts.handled + items.total - items.done, elapsed, after, (now - asOf) / 1000)
    : overall(counts.scored, stages.score);
  const output = published?.over ?? (status.output as Partial<JobOutput> | string | null);
  return {
    id,
    run: published?.run ?? 1,
    state,
    stage: current?.stage ?? null,
    items,
    batches,
    attempts,
    retries,
    ranOn,
    waiting: running ? (gatheringOf(published) ?? waiting) : [],
    itemsPerSecond: rate,
    framesPerSecond: rate,
    secondsLeft: running && current.stage !== 'split' && current.stage !== 'list' ? secondsLeft : null,
    containerTime,
    phases,
    stages: roundAll(stages),
    warnings: published?.warnings ?? [],
    error: errorOf(state, status, published),
    cost,
    bottleneck:
      isOver || containerTime !== null
        ? nameBottleneck({
            stages,
            time: containerTime,
            ranOn,
            batches: batches.total,
            lanes: published?.plan?.lanes ?? 0,
          })
        : null,
    cancelled: state === 'cancelled' ? (published?.cancelledBy ?? outsideEnd(status).cancelled ?? null) : null,
    output: state === 'done' && typeof output === 'object' ? (output?.output ?? null) : null,
    predictions: state === 'done' && typeof output === 'object' ? (output?.predictions ?? null) : null,
    createdAt: new Date(status.createdTime).toISOString(),
    spec,
    reportedAt: running ? counts.reportedAt : null,
  };
}

/** A status without what only the clock changes, by which two of them can be told apart. */
export function withoutClock(status: JobStatus): object {
  const isOver = status.state !== 'running' && status.state !== 'queued';
  const { stages, stage, itemsPerSecond: _, framesPerSecond: __, secondsLeft: ___, cost: ____, ...same } = status;
  return isOver ? status : { ...same, stage, stages: { ...stages, ...(stage && { [stage]: 0 }) } };
}

/** What a job waits for before it begins. */
function gatheringOf(published: PublishedStatus | undefined): string[] | undefined {
  const { stages = [], gathering } = published ?? {};
  return stages.at(-1)?.stage === 'gather' && gathering !== undefined ? [gathering] : undefined;
}

/** What the containers of a run cost. Of those that go on counts the time since their programs began. */
async function readCost(
  storage: Storage,
  id: string,
  published: PublishedStatus | undefined,
  { spent, beganAt, items, scored, prices, isOver, now }: Counts & { prices: PriceTable; isOver: boolean; now: number },
): Promise<JobStatus['cost']> {
  const settled = spent && costOf(prices, spent);
  const job = published?.plan && (await readResolvedJob(storage, id, published.run ?? 1).catch(() => undefined));
  if (settled === undefined || !job) return null;
  const { kind, size } = computeOf(job);
  const price = hourly(prices, { compute: kind, ...size });
  const seconds = isOver ? 0 : beganAt.reduce((sum, began) => sum + Math.max(0, now - began) / 1000, 0);
  if (price === undefined && (seconds > 0 || settled === 0)) return null;
  const soFar = round(settled + ((price ?? 0) * seconds) / 3600, 6);
  if (isOver) return { soFar, inAll: null };
  const left = published.stages.at(-1)?.stage === 'score' ? items.total - items.done - items.failed : 0;
  return {
    soFar,
    inAll: left <= 0 || price === 0 ? { low: soFar, high: soFar } : (costInAll(soFar, { done: scored, left }) ?? null),
  };
}

interface Counts extends Pick<
  JobStatus,
  'attempts' | 'retries' | 'ranOn' | 'waiting' | 'containerTime' | 'phases' | 'reportedAt'
> {
  items: ItemCounts;
  /** Seconds of the containers that have ended by their shapes; undefined where an older version has not kept them. */
  spent: ShapeSeconds | undefined;
  /** When the programs of those that go on began, in milliseconds since the epoch. */
  beganAt: number[];
  /** Items that the model has made outputs of in this run, in every stage. */
  scored: number;
  /** Items that the stage has handled in this run. */
  handled: number;
  /** When the numbers of items were true, in milliseconds since the epoch. */
  asOf: number;
  batches: BatchCounts;
}

/**
 * The counts behind a job's progress.
 * While a stage of the app's own runs, `items` are what that stage has handled.
 */
async function readCounts(
  storage: Storage,
  id: string,
  published: PublishedStatus | undefined,
  { isOver, now, here }: { isOver: boolean; now: number; here: WaitingHere[] },
): Promise<Counts> {
  const stage = published?.stages.at(-1)?.stage;
  const none = { total: 0, pending: 0, running: 0, done: 0, failed: 0 };
  const { settled, reports: running, waiting, stages } = await readNowOf(storage, id, published, isOver);
  const own = isOwnStage(stage) ? (stages[stage]?.done ?? 0) : undefined;
  const waiters = stage === 'score' ? [...waiting, ...here] : here;
  const { items, batches } = published?.plan
    ? countProgress(published.plan, settled, running, published.adopted)
    : { items: { total: published?.items ?? 0, done: published?.adopted?.done ?? 0, failed: 0 }, batches: none };
  // At the end those of batches that this run has left alone are known, too.
  if (published?.reused !== undefined) items.reused = published.reused;
  const attemptOf = new Map(settled.map(({ batch, attempt }) => [batch, attempt]));
  const open = running.filter(({ batch, attempt, isLast }) => !isLast && attempt > (attemptOf.get(batch) ?? 0));
  // Of several that score a batch one may have ended long before it is settled with the others.
  const heard = new Set(open.filter((report) => !isSilent(report, now)).map(({ batch }) => batch));
  const live = open.filter((report) => !isSilent(report, now) || !heard.has(report.batch));
  const scored = Math.max(0, items.done - (items.reused ?? 0) - (published?.adopted?.done ?? 0));
  const counts = {
    items,
    scored,
    handled: scored,
    reportedAt: live.length === 0 ? null : new Date(Math.max(...live.map(({ at }) => at))).toISOString(),
    asOf: timeOf(isOwnStage(stage) ? [stages[stage]?.at ?? now] : live.map(({ at }) => at), now),
    batches: isOver ? { ...batches, running: 0, pending: batches.pending + batches.running } : batches,
    attempts: settled.reduce((sum, { runs }) => sum + runs, 0),
    retries: settled.reduce((sum, batch) => sum + retriesOf(batch), 0),
    ranOn: sumPlaces(settled.map((batch) => batch.ranOn)),
    waiting: reasons([...here.filter(({ batch }) => batch === undefined), ...waiters], { settled, running, live, now }),
    spent: settled.every(({ spent }) => spent) ? addShapes(settled.map(({ spent = {} }) => spent)) : undefined,
    beganAt: live.flatMap(({ startedAt }) => (startedAt === undefined ? [] : [Date.parse(startedAt)])),
    containerTime: describeTime(sumSplits(settled.map(({ split }) => split))),
    phases: summarize(sumPhases(settled.map((batch) => batch.phases))),
  };
  if (own === undefined) return counts;
  return { ...counts, handled: own, items: { ...items, total: Math.max(items.total, own), done: own } };
}

/** The runs of a batch that were not its first and helped no other, and the one that is to come. */
function retriesOf({ runs, rows, state }: Pick<ListedSettled, 'runs' | 'rows' | 'state'>): number {
  const helped = rows.filter(({ helps }) => helps !== null).length;
  return Math.max(0, runs - helped - (state === 'retrying' ? 0 : 1));
}

/** Asks storage for no more than may have changed since a look before. */
function readNowOf(
  storage: Storage,
  id: string,
  published: PublishedStatus | undefined,
  isOver: boolean,
): Promise<JobNow> | JobNow {
  const { stages = [], run = 1, plan } = published ?? {};
  const { stage, startedAt = '' } = stages.at(-1) ?? {};
  if (run === 1 && plan === undefined && (stage === 'gather' || stage === 'prepare')) return nothingNow();
  if (isOver || (stage !== 'finish' && !isOwnStage(stage))) return readNow(storage, id);
  return readNowIn(storage, id, { stage, since: Date.parse(startedAt) });
}

function sumPlaces(counts: Record<string, number>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const each of counts)
    for (const [place, count] of Object.entries(each)) sums[place] = (sums[place] ?? 0) + count;
  return sums;
}

/** Storage tells whole seconds, cut off. */
const CUT_MS = 500;

/** When all that was reported at these times was true, on average. Who has been silent for longer than any pause does not count for more. */
function timeOf(reported: number[], now: number): number {
  if (reported.length === 0) return now;
  const mean = reported.reduce((sum, at) => sum + at, 0) / reported.length + CUT_MS;
  return Math.min(now, Math.max(mean, now - LONGEST_PAUSE * 1000));
}

const MOST_REASONS = 3;
const MOST_NAMED = 3;
/** So much later than it has said a scorer may report. */
const SILENCE_SECONDS = 15;

const isSilent = ({ at, pauseSeconds }: Report, now: number) => now - at > (pauseSeconds + SILENCE_SECONDS) * 1000;

interface Counted {
  settled: SettledCounts[];
  running: Report[];
  /** The reports of attempts that go on. */
  live: Report[];
  now: number;
}

/** Why the job or its batches wait. A batch that has finished, or whose next attempt is already reporting, no longer waits. */
function reasons(
  waiting: (WaitingHere & { attempt?: number; turn?: NextTurn })[],
  { settled, running, live, now }: Counted,
): string[] {
  const over = new Set(settled.filter(({ state }) => state !== 'retrying').map(({ batch }) => batch));
  const reported = new Set(running.map(({ batch, attempt }) => `${batch} ${attempt}`));
  const waiters = new Map<string, Set<number>>();
  const turns = new Map<string, NextTurn>();
  for (const { batch, attempt, reason, turn } of waiting) {
    if (batch !== undefined && (over.has(batch) || reported.has(`${batch} ${(attempt ?? -1) + 1}`))) continue;
    const batches = waiters.get(reason) ?? new Set();
    waiters.set(reason, batch === undefined ? batches : batches.add(batch));
    if (turn && turn.at < (turns.get(reason)?.at ?? Infinity)) turns.set(reason, turn);
  }
  const silent = live.filter((report) => isSilent(report, now));
  if (silent.length > 0) {
    const reason = `the scorer has not reported for more than ${SILENCE_SECONDS} seconds`;
    waiters.set(reason, new Set(silent.map(({ batch }) => batch)));
  }
  return [...waiters].slice(0, MOST_REASONS).map(([reason, batches]) => {
    const why = `${reason}${turnInWords(turns.get(reason), now)}`;
    return batches.size === 0 ? why : `${naming([...batches])}: ${why}`;
  });
}

/** What the first of those that wait for the same reason does about it. */
function turnInWords(turn: NextTurn | undefined, now: number): string {
  if (!turn) return '';
  const seconds = Math.ceil((turn.at - now) / 1000);
  const when = seconds <= 0 ? 'now' : seconds < 90 ? `in ${seconds} s` : `in ${Math.round(seconds / 60)} min`;
  return ` (tries ${turn.compute} ${when})`;
}

function naming(batches: number[]): string {
  const named = batches.slice(0, MOST_NAMED).join(', ');
  const more = batches.length > MOST_NAMED ? ` and ${batches.length - MOST_NAMED} more` : '';
  return `${batches.length === 1 ? 'Batch' : 'Batches'} ${named}${more}`;
}

function isOwnStage(stage: Stage | undefined): stage is OwnStage {
  return stage === 'split' || stage === 'stitch' || stage === 'list' || stage === 'collect';
}

const overall = (items: number, seconds: number | undefined) => ({
  rate: items > 0 && seconds ? Math.round((items / seconds) * 100) / 100 : null,
  secondsLeft: null,
});

const roundAll = (stages: Record<string, number>) =>
  Object.fromEntries(Object.entries(stages).map(([stage, seconds]) => [stage, Math.round(seconds * 1000) / 1000]));

export function stateOf(status: Orchestration, published: PublishedStatus | undefined): JobStatus['state'] {
  const name: string = status.runtimeStatus;
  if (name === 'Completed') return 'done';
  if (name === 'Terminated' || name === 'Canceled' || (name === 'Failed' && published?.cancelled)) return 'cancelled';
  if (name === 'Failed') return 'failed';
  if (published?.over) return published.cancelled ? 'cancelled' : published.error ? 'failed' : 'done';
  return name === 'Pending' ? 'queued' : 'running';
}

function errorOf(
  state: JobStatus['state'],
  status: Orchestration,
  published: PublishedStatus | undefined,
): JobStatus['error'] {
  if (state !== 'failed' && state !== 'cancelled') return null;
  if (published?.error) return published.error;
  const { blame: kind, message } = outsideEnd(status);
  return { kind, message };
}
