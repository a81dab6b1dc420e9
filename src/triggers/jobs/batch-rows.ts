import type { BatchList, BatchRow } from '../../api/jobs.js';
import { type AttemptRow, endedRow, timeOf } from '../../job/attempts/attempt-row.js';
import { JobError } from '../../job/failure.js';
import { batchAt, firstBatchOf } from '../../job/plan.js';
import { countProgress, type PublishedStatus } from '../../job/progress.js';
import type { LaunchedAttempt } from '../../job-store/batches/batch-state.js';
import { isOver, type JobNow, type Report } from '../../job-store/now.js';
import type { WaitingHere } from '../job-watch.js';

/** What is known of the batches of a job's latest run. */
export interface BatchFacts {
  published: PublishedStatus | undefined;
  now: Pick<JobNow, 'settled' | 'reports' | 'waiting' | 'changed'>;
  /** Of a job that is over none is needed. */
  launched: LaunchedAttempt[];
  /** Why batches wait, as far as only this process knows. */
  here: WaitingHere[];
  /** The name of a job's compute by its number. */
  placeOf: (compute: number | undefined) => string;
  /** How the job has ended; undefined while it goes on. */
  ended?: 'done' | 'failed' | 'cancelled' | undefined;
}

/** The rows of a run and what tells the next answer which of them have changed since. */
export type BatchRows = Omit<BatchList, 'at'>;

/** What the reader of an answer knows. */
interface Known {
  run: number;
  isOver: boolean;
  /** The newest record then, in milliseconds since the epoch. */
  newest: number;
  /** Batches that waited; undefined where there were too many to name. */
  waiting: Set<number> | undefined;
}

/** Clocks within a storage account differ a little, and times are in whole seconds. */
const OVERLAP_MS = 2000;
const MOST_NAMED = 200;

/** @throws JobError `user` when it is not what an answer gave as `next`. */
export function readSince(text: string | null): Known | undefined {
  if (text === null || text === '') return undefined;
  const [, run, over, newest, waiting = ''] =
    /^(\d{1,9})\.([01])\.(\d{1,15})\.(|\*|\d{1,7}(?:-\d{1,7})*)$/.exec(text) ?? [];
  if (run === undefined) throw new JobError('user', '"since" must be what the answer before gave as "next".');
  return {
    run: Number(run),
    isOver: over === '1',
    newest: Number(newest),
    waiting: waiting === '*' ? undefined : new Set(waiting === '' ? [] : waiting.split('-').map(Number)),
  };
}

/**
 * The batches of a run, one row each.
 * @param since left out: all of them. Else those that have changed since, and those that run or wait: what they wait for may be over
 * without a record that says so.
 */
export function batchRows(facts: BatchFacts, since?: Known): BatchRows {
  const { published, now, launched, ended } = facts;
  const run = published?.run ?? 1;
  const grouped = group(facts);
  const changedAt = new Map(now.changed);
  for (const { batch, at } of launched) changedAt.set(batch, Math.max(at, changedAt.get(batch) ?? 0));
  const isNew = !since || since.run !== run || since.isOver !== (ended !== undefined) || !since.waiting;
  const plan = published?.plan;
  const rows: BatchRow[] = [];
  const waiting: number[] = [];
  let newest = 0;
  const numbers = plan ? Array.from({ length: plan.batches }, (_, k) => firstBatchOf(plan) + k) : [];
  for (const batch of numbers) {
    const of = grouped.get(batch) ?? NOTHING;
    const row = rowOf(facts, batch, of);
    const changed = changedAt.get(batch) ?? 0;
    newest = Math.max(newest, changed);
    if (row.waiting !== null) waiting.push(batch);
    const isOpen = row.waiting !== null || row.attempts.some(({ endedAt }) => endedAt === null);
    if (isNew || isOpen || since.waiting?.has(batch) || changed >= since.newest - OVERLAP_MS) rows.push(row);
  }
  const named = waiting.length > MOST_NAMED ? '*' : waiting.join('-');
  return { run, batches: rows, next: `${run}.${ended ? 1 : 0}.${newest}.${named}` };
}

interface OfBatch {
  settled?: JobNow['settled'][number];
  reports: Report[];
  waiting?: JobNow['waiting'][number];
  launched: LaunchedAttempt[];
}
const NOTHING: OfBatch = { reports: [], launched: [] };

function group({ now, launched }: BatchFacts): Map<number, OfBatch> {
  const groups = new Map<number, OfBatch>();
  const of = (batch: number) => {
    const known = groups.get(batch) ?? { reports: [], launched: [] };
    groups.set(batch, known);
    return known;
  };
  for (const each of now.settled) of(each.batch).settled = each;
  for (const each of now.waiting) of(each.batch).waiting = each;
  for (const each of now.reports) of(each.batch).reports.push(each);
  for (const each of launched) of(each.batch).launched.push(each);
  return groups;
}

function rowOf({ published, here, placeOf, ended }: BatchFacts, batch: number, of: OfBatch): BatchRow {
  const plan = published?.plan ?? { items: 0, size: 1, batches: 0, lanes: 0 };
  const { first, count } = batchAt(plan, batch) ?? { first: 0, count: 0 };
  const { settled, reports } = of;
  const same = { batch, first, count, waiting: null, message: settled?.message ?? '' };
  const { only, adopted } = published ?? {};
  const isLeftAlone = only ? !only.includes(batch) : ended === 'done' && adopted !== undefined && !settled;
  if (isLeftAlone) return { ...same, state: 'done', done: count, failed: 0, runs: 0, attempts: [] };
  const settledAttempt = settled?.attempt ?? 0;
  const counted = countProgress({ ...plan, batches: 1 }, settled ? [settled] : [], reports);
  const open = ended || (settled && isOver(settled)) ? [] : openAttempts(of, settledAttempt, placeOf);
  const attempts = [...(settled?.rows ?? []), ...open].toSorted((one, other) => one.attempt - other.attempt);
  const { done, failed, running } = counted.batches;
  const isRunning = !ended && (running > 0 || open.length > 0);
  return {
    ...same,
    state: done > 0 ? 'done' : failed > 0 ? 'failed' : isRunning ? 'running' : 'pending',
    done: counted.items.done,
    failed: counted.items.failed,
    waiting: ended || (settled && isOver(settled)) ? null : whyWaiting(batch, of, here),
    runs: (settled?.runs ?? 0) + open.length,
    attempts,
  };
}

/** Attempts that were not settled: a report tells of one, or only that its container was asked for. */
function openAttempts(
  { reports, launched, waiting }: OfBatch,
  settled: number,
  placeOf: BatchFacts['placeOf'],
): AttemptRow[] {
  const rows = new Map<number, AttemptRow>();
  for (const { attempt, at, compute, helps } of launched) {
    const wasRefused = waiting !== undefined && waiting.attempt + 1 >= attempt && waiting.at >= at;
    if (attempt <= settled || wasRefused) continue;
    const row = endedRow({ attempt, helps: helps ?? null, place: placeOf(compute), end: null, message: '' });
    rows.set(attempt, { ...row, launchedAt: at });
  }
  for (const { attempt, helps, startedAt, watched, times, isLast } of reports) {
    if (attempt <= settled) continue;
    const row = rows.get(attempt) ?? endedRow({ attempt, helps: helps ?? null, end: null, message: '' });
    const firstItemAt = timeOf(times.firstItem);
    rows.set(attempt, {
      ...row,
      startedAt: timeOf(startedAt),
      modelLoadedAt: timeOf(times.modelLoaded),
      firstItemAt,
      lastItemAt: firstItemAt === null ? null : timeOf(watched?.lastItemAt),
      endedAt: isLast ? timeOf(watched?.updatedAt) : null,
    });
  }
  return [...rows.values()];
}

/** A batch whose next attempt is reporting no longer waits. */
function whyWaiting(batch: number, { waiting, reports }: OfBatch, here: WaitingHere[]): string | null {
  const isReporting = reports.some(({ attempt }) => attempt > (waiting?.attempt ?? 0));
  const elsewhere = here.find((each) => each.batch === batch)?.reason ?? null;
  return waiting === undefined || isReporting ? elsewhere : waiting.reason;
}
