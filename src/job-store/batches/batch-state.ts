import type { AttemptProgress } from '../../container-contract/progress.js';
import type { AttemptResult, FailedItem } from '../../container-contract/result.js';
import { CONTRACT, type ScoreTask } from '../../container-contract/task.js';
import { type Condemned, condemned, NO_SUSPICION, type Suspicion } from '../../job/attempts/suspicion.js';
import { createJson, listBlobs, listMetadata, readJson, type Storage, writeJson } from '../../storage/storage.js';
import { readItems } from '../images/items.js';
import {
  jobOf,
  logBlob,
  parseBatchBlob,
  progressBlob,
  resultBlob,
  taskBlob,
  tasksPrefix,
  timingsBlob,
} from '../layout.js';
import type { ResolvedJob } from '../resolved-job.js';
import { listScored, type Scored } from './scored-parts.js';

interface Attempt {
  jobId: string;
  batch: number;
  attempt: number;
}

/**
 * Tells the scorer of an attempt what to do, and where to write its progress, result, log and timings.
 * @param compute which of the job's computes the attempt is launched on, of a job that has several.
 */
export const writeTask = (storage: Storage, task: NewTask, compute?: number): Promise<void> =>
  writeJson(...recordOf(storage, task, compute));

/** As `writeTask`, unless that was done before. @returns whether it was written. */
export const createTask = (storage: Storage, task: NewTask, compute?: number): Promise<boolean> =>
  createJson(...recordOf(storage, task, compute));

type NewTask = Omit<ScoreTask, 'contract' | 'progressBlob' | 'resultBlob' | 'logBlob' | 'timingsBlob'>;

function recordOf(storage: Storage, task: NewTask, compute: number | undefined): Parameters<typeof writeJson> {
  const { jobId, batch, attempt } = task;
  const whole: ScoreTask = {
    ...task,
    contract: CONTRACT,
    progressBlob: progressBlob(batch, attempt),
    resultBlob: resultBlob(batch, attempt),
    logBlob: logBlob(batch, attempt),
    timingsBlob: timingsBlob(batch, attempt),
  };
  const { helps } = task;
  const metadata = {
    ...(compute !== undefined && { compute: String(compute) }),
    ...(helps !== undefined && { helps: String(helps) }),
  };
  return [jobOf(storage, jobId), taskBlob(batch, attempt), whole, metadata];
}

/** What the scorer of an attempt was told to do; undefined when the attempt was never launched. */
export const readTask = (storage: Storage, { jobId, batch, attempt }: Attempt) =>
  readJson<ScoreTask>(jobOf(storage, jobId), taskBlob(batch, attempt));

/** The last attempts of a batch for which tasks were written: one, and those that were launched to help it. */
export interface LatestAttempts {
  /** 0 when there is none. */
  attempt: number;
  /** The compute that it names. */
  compute?: number;
  helpers: number[];
}

export async function latestAttempts(storage: Storage, jobId: string, batch: number): Promise<LatestAttempts> {
  let latest: Omit<LatestAttempts, 'helpers'> = { attempt: 0 };
  const helping: { attempt: number; helps: number }[] = [];
  for await (const { name, metadata } of listMetadata(jobOf(storage, jobId), tasksPrefix(batch))) {
    const { attempt = 0 } = parseBatchBlob(name) ?? {};
    if (metadata.helps !== undefined) helping.push({ attempt, helps: Number(metadata.helps) });
    else if (attempt > latest.attempt)
      latest = { attempt, ...(metadata.compute !== undefined && { compute: Number(metadata.compute) }) };
  }
  const own = helping.filter(({ helps }) => helps === latest.attempt).map(({ attempt }) => attempt);
  return { ...latest, helpers: own.toSorted((one, other) => one - other) };
}

/** An attempt whose task was written, which is just before its container is asked for. */
export interface LaunchedAttempt {
  batch: number;
  attempt: number;
  /** Milliseconds since the epoch, to the second. */
  at: number;
  compute?: number;
  helps?: number;
}

/** All of a job, from one listing. */
export async function listLaunched(storage: Storage, jobId: string): Promise<LaunchedAttempt[]> {
  const launched: LaunchedAttempt[] = [];
  const options = { prefix: tasksPrefix(), includeMetadata: true };
  for await (const { name, metadata = {}, properties } of listBlobs(jobOf(storage, jobId), options)) {
    const key = parseBatchBlob(name);
    const number = (field: 'compute' | 'helps') =>
      metadata[field] === undefined ? {} : { [field]: Number(metadata[field]) };
    if (key) launched.push({ ...key, at: properties.lastModified.getTime(), ...number('compute'), ...number('helps') });
  }
  return launched;
}

/** The last of all attempts of a batch; 0 when there is none. */
export async function lastAttempt(storage: Storage, jobId: string, batch: number): Promise<number> {
  const { attempt, helpers } = await latestAttempts(storage, jobId, batch);
  return Math.max(attempt, ...helpers);
}

/** What the scorer of an attempt last said of itself; undefined before its first sign of life. */
export const readProgress = (storage: Storage, { jobId, batch, attempt }: Attempt) =>
  readJson<AttemptProgress>(jobOf(storage, jobId), progressBlob(batch, attempt));

/** Where a batch stands, read from its outputs and the results of its attempts. */
export interface BatchState {
  /** Item indices with an output. */
  done: number[];
  /** How many of these were taken over from other jobs. */
  reused: number;
  /** Items that a scorer could not score, in which attempt, or that containers have died of; they have no output. */
  failed: (FailedItem & { index: number; attempt?: number })[];
  /** Item indices with neither. */
  missing: number[];
  /** Results of the attempts that managed to write one, by attempt. */
  results: AttemptResult[];
  /** What the others last said of themselves, as far as they did. */
  unfinished: AttemptProgress[];
}

/**
 * @param attempts how many attempts the batch has had so far.
 * @param suspicion what is held against its items.
 * @param known what was scored of them, if that was just listed.
 */
export async function readBatchState(
  storage: Storage,
  job: ResolvedJob,
  { batch, first, count }: { batch: number; first: number; count: number },
  attempts: number,
  suspicion: Suspicion = NO_SUSPICION,
  known?: Scored,
): Promise<BatchState> {
  const scored = known ?? (await listScored(storage, job, first, count));
  const reads = Array.from({ length: attempts }, (_, k) =>
    readAccount(storage, { jobId: job.jobId, batch, attempt: k + 1 }),
  );
  const accounts = await Promise.all(reads);
  const results = accounts.flatMap(({ result }) => result ?? []);
  const unfinished = accounts.flatMap(({ progress }) => progress ?? []);
  const reasons = new Map(
    accounts.flatMap(({ failed }, k) => failed.map(({ name, reason }) => [name, { reason, attempt: k + 1 }] as const)),
  );
  // Parts do not tell whether their absent items failed in an earlier run, and so are to be tried again.
  const isFirst = (job.run ?? 1) === 1;
  const names = reasons.size > 0 || scored.absent.size > 0 ? await readItems(storage, job, first, count) : [];
  const guilty = new Map(condemned(suspicion).map((item) => [item.index, item]));
  const state: BatchState = { done: [], reused: 0, failed: [], missing: [], results, unfinished };
  for (let index = first; index < first + count; index += 1) {
    const name = names[index - first]?.name ?? guilty.get(index)?.name ?? '';
    const notSaid = isFirst && scored.absent.has(index) ? { reason: NOT_SAID, attempt: attempts } : undefined;
    const said = guilty.get(index) ?? reasons.get(name) ?? notSaid;
    const part = scored.present.get(index);
    if (part?.reused === true) state.reused += 1;
    if (part) state.done.push(index);
    else if (said) state.failed.push({ index, name, ...said });
    else state.missing.push(index);
  }
  return state;
}

/** Of an item that is absent from its part, when the record of its scorer was lost. */
const NOT_SAID = 'it could not be scored, and the record that said why is gone';

/** The state once it is known which items containers have died of. */
export function withCondemned(state: BatchState, items: Condemned[]): BatchState {
  const added = items.filter(({ index }) => state.missing.includes(index));
  const gone = new Set(added.map(({ index }) => index));
  const failed = [...state.failed, ...added].toSorted((one, other) => one.index - other.index);
  return { ...state, failed, missing: state.missing.filter((index) => !gone.has(index)) };
}

/** Indices of the items of a batch without an output. */
export const unscoredOf = ({ failed, missing }: BatchState): number[] => [
  ...failed.map(({ index }) => index),
  ...missing,
];

/** What the scorer of an attempt recorded: its result or, when it was ended before it wrote one, the items that had failed by then. */
async function readAccount(
  storage: Storage,
  { jobId, batch, attempt }: Attempt,
): Promise<{ result?: AttemptResult; progress?: AttemptProgress | undefined; failed: FailedItem[] }> {
  const result = await readJson<AttemptResult>(jobOf(storage, jobId), resultBlob(batch, attempt));
  if (result) return { result, failed: result.failed };
  const progress = await readProgress(storage, { jobId, batch, attempt });
  return { progress, failed: progress?.failedItems ?? [] };
}
