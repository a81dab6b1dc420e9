import { isLastReport, readProgressMetadata, type ScorerTimes } from '../container-contract/progress.js';
import type { ReportedProgress } from '../job/attempts/watch.js';
import type { RunningCounts } from '../job/progress.js';
import { listBlobs, type Storage } from '../storage/storage.js';
import { readProgress } from './batches/batch-state.js';
import { type ListedSettled, settledOf } from './batches/settled.js';
import { type Waiting, waitingOf } from './batches/waiting.js';
import { jobOf, NOW_PREFIX, type OwnStage, parseNowBlob } from './layout.js';
import { stageDoneOf, stageHere } from './stage-progress.js';

/** What was last stored of a job that runs, or has run. */
export interface JobNow {
  settled: ListedSettled[];
  /** By attempt, what the scorers last said of themselves. */
  reports: Report[];
  waiting: Waiting[];
  /** By batch, when the newest of these records was stored, in milliseconds since the epoch. */
  changed: Map<number, number>;
  /** Of the stages that are the app's own. */
  stages: Partial<Record<OwnStage, StageReport>>;
  /** The job's latest run, as far as anything was decided over one. */
  run: number;
  /** Whether that was stopped or has ended: `readStop` says why. */
  isStopped: boolean;
}

/** A report of a scorer. */
export interface Report extends RunningCounts {
  /** When it was stored, in milliseconds since the epoch. */
  at: number;
  /** What the scorer then said to be the time until its next report. */
  pauseSeconds: number;
  /** When its model was loaded and its first item stored, as far as it says. */
  times: Pick<ScorerTimes, 'modelLoaded' | 'firstItem'>;
  /** Whether it is the scorer's last one. */
  isLast: boolean;
  /** What a watch over the scorer looks at; older scorers tell less. */
  watched?: ReportedProgress;
}

export interface StageReport {
  /** Items that the stage has handled, over all its chunks. */
  done: number;
  /** When its latest report was stored, in milliseconds since the epoch. */
  at: number;
}

/** Of a job that has stored nothing yet. */
export const nothingNow = (): JobNow => ({
  settled: [],
  reports: [],
  waiting: [],
  changed: new Map(),
  stages: {},
  run: 1,
  isStopped: false,
});

/** All of it from one listing, whose metadata hold it, however many items the job has. */
export async function readNow(storage: Storage, jobId: string): Promise<JobNow> {
  const looking = look(storage, jobId);
  const { underway } = sightsOf(storage);
  underway.set(jobId, looking);
  try {
    return await looking;
  } finally {
    if (underway.get(jobId) === looking) underway.delete(jobId);
  }
}

/** What changes in a stage that is not the scoring are the stage's own count and what is decided over the job. */
const OLDEST_MS = 10_000;

/**
 * As `readNow`, for a status: while this process handles the stage itself, or nothing is counted any more, what a listing has told since
 * the stage began is told again for ten seconds, with the count of this moment. Whether the job was stopped then may be told late.
 * @param since when the stage began, in milliseconds since the epoch.
 */
export async function readNowIn(
  storage: Storage,
  jobId: string,
  { stage, since }: { stage: OwnStage | 'finish'; since: number },
): Promise<JobNow> {
  const { whole, askedAt = -Infinity, wallAt = -Infinity } = sightsOf(storage).last.get(jobId) ?? {};
  const own = stage === 'finish' ? undefined : stageHere(storage, jobId, stage);
  const isOfUse = whole && (stage === 'finish' || own) && wallAt >= since && performance.now() - askedAt < OLDEST_MS;
  if (!isOfUse) return readNow(storage, jobId);
  if (stage === 'finish' || !own) return whole;
  const { done = 0 } = whole.stages[stage] ?? {};
  return { ...whole, stages: { ...whole.stages, [stage]: { done: Math.max(done, own.done), at: own.at } } };
}

/** What a listing told of a job. */
interface Sight extends Pick<JobNow, 'run' | 'isStopped'> {
  /** Of a job with many records none are kept. */
  reports?: Report[];
  /** All of it; of a job with many records it is not kept. */
  whole?: JobNow;
  /** Batches that get no further container. */
  over: number;
  /** When storage was asked for it, on the process's clock. */
  askedAt: number;
  /** The same in milliseconds since the epoch. */
  wallAt: number;
}

/** All work of a process for a job shares what it saw of it last. */
interface Sights {
  /** By job; the latest is last. */
  last: Map<string, Sight>;
  underway: Map<string, Promise<JobNow>>;
}

/** Of a job with more records than this, whoever needs one reads that one: it takes less than listing all. */
const MOST_LISTED = 100;
const MOST_REMEMBERED = 64;
const LISTED_AGAIN_MS = 60_000;

const sights = new WeakMap<Storage, Sights>();

function sightsOf(storage: Storage): Sights {
  const known: Sights = sights.get(storage) ?? { last: new Map(), underway: new Map() };
  sights.set(storage, known);
  return known;
}

/** What a listing tells of what was decided over a job. */
const RUNS = 'runs';
export const decisionMetadata = (run: number, isStopped: boolean) => ({
  run: String(run),
  ...(isStopped ? {} : { [RUNS]: 'true' }),
});
const decisionOf = ({ run = '1', [RUNS]: runs }: Record<string, string>) => ({
  run: Number(run),
  isStopped: runs === undefined,
});

/** Whether a job was stopped when a listing was asked for, as somebody of this process did; undefined where nobody did. */
export const seenStopped = (
  storage: Storage,
  jobId: string,
): Pick<Sight, 'run' | 'isStopped' | 'askedAt'> | undefined => sightsOf(storage).last.get(jobId);

/** What the scorer of an attempt has said of itself, at most so many milliseconds ago; undefined before its first sign of life. */
export async function seeProgress(
  storage: Storage,
  { jobId, batch, attempt }: { jobId: string; batch: number; attempt: number },
  mostMs: number,
): Promise<ReportedProgress | undefined> {
  const { last, underway } = sightsOf(storage);
  const known = last.get(jobId);
  const isEnough = known && (!known.reports || performance.now() - known.askedAt <= mostMs);
  if (!isEnough) await (underway.get(jobId) ?? readNow(storage, jobId));
  const reports = last.get(jobId)?.reports;
  const report = reports?.find((each) => each.batch === batch && each.attempt === attempt);
  if (reports && !report) return undefined;
  return report?.watched ?? readProgress(storage, { jobId, batch, attempt });
}

/** Whether a batch gets no further container. */
export const isOver = ({ state }: Pick<ListedSettled, 'state'>): boolean => state !== 'retrying';

/** How many of the run's batches were over so many milliseconds ago, or are now; of a job with many records it is known a minute later. */
export async function seeOver(storage: Storage, jobId: string, mostMs: number): Promise<number> {
  const { last } = sightsOf(storage);
  const known = last.get(jobId);
  const age = known ? performance.now() - known.askedAt : Infinity;
  if (known && age <= (known.reports ? mostMs : Math.max(mostMs, LISTED_AGAIN_MS))) return known.over;
  return (await readNow(storage, jobId)).settled.filter(isOver).length;
}

async function look(storage: Storage, jobId: string): Promise<JobNow> {
  const [askedAt, wallAt] = [performance.now(), Date.now()];
  const now = nothingNow();
  let records = 0;
  const blobs = listBlobs(jobOf(storage, jobId), { prefix: NOW_PREFIX, includeMetadata: true });
  for await (const { name, metadata = {}, properties } of blobs) {
    records += 1;
    const key = parseNowBlob(name);
    if (!key) continue;
    const at = properties.lastModified.getTime();
    if ('batch' in key) now.changed.set(key.batch, Math.max(at, now.changed.get(key.batch) ?? 0));
    if (key.kind === 'stop') Object.assign(now, decisionOf(metadata));
    else if (key.kind === 'settled') now.settled.push(settledOf(key.batch, metadata));
    else if (key.kind === 'waiting') now.waiting.push(waitingOf(key.batch, at, metadata));
    else if (key.kind === 'stages') {
      const others = now.stages[key.stage] ?? { done: 0, at: 0 };
      now.stages[key.stage] = { done: others.done + stageDoneOf(metadata), at: Math.max(others.at, at) };
    } else {
      const { batch, attempt } = key;
      const said = readProgressMetadata(metadata);
      const { startedAt } = said.watched ?? {};
      now.reports.push({ ...said, startedAt, batch, attempt, at, isLast: isLastReport(metadata) });
    }
  }
  const { last } = sightsOf(storage);
  if ((last.get(jobId)?.askedAt ?? -Infinity) < askedAt) {
    last.delete(jobId);
    const { run, isStopped, reports, settled } = now;
    const over = settled.filter(isOver).length;
    const kept = records <= MOST_LISTED ? { reports, whole: now } : {};
    last.set(jobId, { run, isStopped, askedAt, wallAt, over, ...kept });
    const [oldest] = last.keys();
    if (last.size > MOST_REMEMBERED && oldest !== undefined) last.delete(oldest);
  }
  return now;
}
