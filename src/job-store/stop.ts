import { once } from 'node:events';
import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { RestError } from '@azure/storage-blob';
import type { Cancelled, Stop } from '../job/attempts/attempt-end.js';
import { isLate } from '../job/attempts/watch.js';
import { JobError } from '../job/failure.js';
import { isNotFound, readJson, type Storage } from '../storage/storage.js';
import { jobOf, STOP } from './layout.js';
import type { ResolvedJob } from './resolved-job.js';
import { decisionMetadata, seenStopped } from './now.js';

/** What decides over a job: how its latest run was stopped or has ended, or that a run has begun after the first. */
export type Decision = Stop | Begun;

/** A run that is not stopped. */
export interface Begun {
  run: number;
  /** When it was decided, ISO 8601. */
  begun: string;
  /** What the orchestration is started with. Whoever finds that it was not started starts it with the same. */
  input: object;
}

const runIn = (decision: Decision) => decision.run ?? 1;

/** What a run that is not the latest is told. */
const SUPERSEDED: Stop = { reason: 'cancelled', blame: 'user', message: 'The job was started again.', ended: true };

/** Whether a decision is none over this run, as there is a later one. */
export const isSuperseded = (stop: Stop) => stop === SUPERSEDED;

/** How a run is stopped by what was decided; undefined: it is not. */
function stopOf(decision: Decision | undefined, run: number): Stop | undefined {
  if (!decision || runIn(decision) < run) return undefined;
  if (runIn(decision) > run) return SUPERSEDED;
  return 'reason' in decision ? decision : undefined;
}

/** Undefined while the first run goes on. */
export const readDecision = (storage: Storage, jobId: string) => readJson<Decision>(jobOf(storage, jobId), STOP);

/** Why a run of the job was stopped; undefined when it was not. */
export const readStop = async (storage: Storage, jobId: string, run = 1): Promise<Stop | undefined> =>
  stopOf(await readDecision(storage, jobId), run);

/**
 * Keeps the batches of a run of a job from launching anything more, and ends those that run, unless the stop says to let them finish. A run
 * that has been stopped before stays so, but what was left to finish is ended by a stop that does not say so.
 * @param stop names the run.
 */
export async function stopJob(storage: Storage, jobId: string, stop: Stop): Promise<Stop> {
  const { run = 1 } = stop;
  const decided = await decide(storage, jobId, (before) => {
    const earlier = stopOf(before, run);
    if (!before || !earlier) return stop;
    if (earlier.running !== 'finish' || stop.running === 'finish') return before;
    const { running: _, ...at } = earlier;
    return at;
  });
  return stopOf(decided, run) ?? stop;
}

/** Ends a job that has gone on for longer than it may. @returns whether it has. */
export async function stopIfLate(storage: Storage, { jobId, run, spec, createdAt }: ResolvedJob): Promise<boolean> {
  if (!isLate(spec.timeouts, createdAt, Date.now())) return false;
  await stopJob(storage, jobId, {
    ...(run !== undefined && { run }),
    reason: 'failed',
    blame: 'user',
    message: `The job took longer than timeouts.jobSeconds (${spec.timeouts.jobSeconds}), so it was ended; what it has scored is kept. Raise the limit and redrive it.`,
  });
  return true;
}

/**
 * Stops a job because somebody asked for it; the job need not have started yet.
 * @returns whether the job ends as cancelled: false when it has ended before.
 */
export async function cancelJob(
  storage: Storage,
  jobId: string,
  message: string,
  cancelled?: Cancelled,
): Promise<boolean> {
  const decided = await decide(storage, jobId, (before) => {
    const stop = before && stopOf(before, runIn(before));
    if (stop && (stop.ended || stop.reason === 'cancelled')) return before;
    const cancel: Stop = { reason: 'cancelled', blame: 'user', message, ...(cancelled && { cancelled }) };
    return ofRun(cancel, before ? runIn(before) : 1);
  });
  return 'reason' in decided && decided.reason === 'cancelled';
}

/**
 * Decides how a run of a job ends, once and for all: as it asks for, unless it was cancelled before.
 * @returns how it ends, or that it is superseded by a later run.
 */
export async function endJob(storage: Storage, jobId: string, end: Omit<Stop, 'ended'>): Promise<Stop> {
  const { run = 1 } = end;
  const decided = await decide(storage, jobId, (before) => {
    const stop = stopOf(before, run);
    if (before && stop?.ended) return before;
    if (stop?.reason === 'cancelled') return { ...stop, ended: true };
    const exceeded = stop?.exceeded === true && end.reason === 'failed' && end.blame === 'user';
    return { ...end, ...(exceeded && { exceeded }), ended: true };
  });
  return stopOf(decided, run) ?? SUPERSEDED;
}

/**
 * Decides that the next run of a job that has ended begins: of those who ask at once, one does it.
 * @returns what is decided then.
 */
export const beginRun = (storage: Storage, jobId: string, next: Begun): Promise<Decision | undefined> =>
  decide<Decision | undefined>(storage, jobId, (before) => {
    const isNext = before !== undefined && 'ended' in before && runIn(before) === next.run - 1;
    return isNext ? next : before;
  });

const ofRun = (stop: Stop, run: number): Stop => (run === 1 ? stop : { ...stop, run });

/** How much later than the process that stops a job all others learn of it at most, if storage answers. */
const LOOK_MS = 5000;
/** What work gets to end by itself once its job is stopped, e.g. to remove its files. */
const LET_GO_MS = 2000;
/** Well below `functionTimeout` in host.json, at which the host would end the worker and all that runs in it. */
const LONGEST_WORK_MS = 4.5 * 3600 * 1000;
/** Jobs that nobody follows any more are forgotten beyond so many. */
const MOST_SIGHTS = 1000;

/** What this process knows of the stop of a run. A stop that was seen holds: at most its reason becomes "cancelled". */
interface Sight {
  stop?: Stop;
  /** When storage last said that there was none, on the process's clock. */
  clearAt: number;
  asking?: Promise<void> | undefined;
  /** Who is told once. */
  followers: Set<(stop: Stop) => void>;
  isFollowed: boolean;
}

/** All work of a process for a run of a job shares one sight, and so one look at storage now and then. */
const sights = new WeakMap<Storage, Map<string, Sight>>();

function sightOf(storage: Storage, jobId: string, run: number): Sight {
  const all = sights.get(storage) ?? new Map<string, Sight>();
  sights.set(storage, all);
  const key = `${jobId} ${run}`;
  const known = all.get(key);
  if (known) return known;
  for (const [id, { followers }] of all) {
    if (all.size < MOST_SIGHTS) break;
    if (followers.size === 0) all.delete(id);
  }
  const sight: Sight = { clearAt: -Infinity, followers: new Set(), isFollowed: false };
  all.set(key, sight);
  return sight;
}

function tell(sight: Sight, stop: Stop): void {
  sight.stop = stop;
  for (const follower of sight.followers) follower(stop);
  sight.followers.clear();
}

async function ask(storage: Storage, jobId: string, run: number, sight: Sight): Promise<void> {
  const askedAt = performance.now();
  const stop = await readStop(storage, jobId, run);
  // What this process has decided meanwhile is newer.
  if (stop) tell(sight, sight.stop ?? stop);
  else sight.clearAt = Math.max(sight.clearAt, askedAt);
}

/** Whether a run of the job is stopped at this moment. */
export async function isStopped(storage: Storage, jobId: string, run = 1): Promise<boolean> {
  const sight = sightOf(storage, jobId, run);
  if (!sight.stop) await ask(storage, jobId, run, sight);
  return sight.stop !== undefined;
}

/** Whether a run of the job was stopped: by this process, or at least so many milliseconds ago by another. */
export async function isKnownStopped(storage: Storage, jobId: string, run = 1, mostMs = LOOK_MS): Promise<boolean> {
  const sight = sightOf(storage, jobId, run);
  const seen = seenStopped(storage, jobId);
  if (seen?.run === run) sight.clearAt = seen.isStopped ? -Infinity : Math.max(sight.clearAt, seen.askedAt);
  if (!sight.stop && performance.now() - sight.clearAt >= mostMs)
    await (sight.asking ??= ask(storage, jobId, run, sight).finally(() => (sight.asking = undefined)));
  return sight.stop !== undefined;
}

/**
 * Tells when a run of the job is stopped: at once when this process does it, some seconds later when another does.
 * @returns ends that.
 */
export function followStop(storage: Storage, jobId: string, told: (stop: Stop) => void, run = 1): () => void {
  const sight = sightOf(storage, jobId, run);
  if (sight.stop) {
    told(sight.stop);
    return () => undefined;
  }
  sight.followers.add(told);
  if (!sight.isFollowed) void keepLooking(storage, jobId, run, sight);
  return () => sight.followers.delete(told);
}

async function keepLooking(storage: Storage, jobId: string, run: number, sight: Sight): Promise<void> {
  sight.isFollowed = true;
  for (let failed = false; ;) {
    const clearFor = failed ? 0 : Math.max(0, performance.now() - sight.clearAt);
    await setTimeout(Math.max(1, LOOK_MS - Math.min(clearFor, LOOK_MS)), undefined, { ref: false });
    if (sight.followers.size === 0) break;
    // A look that fails says nothing; the work finds out for itself when storage is away.
    failed = await isKnownStopped(storage, jobId, run).then(
      () => false,
      () => true,
    );
  }
  sight.isFollowed = false;
}

/**
 * Does work for a job that may take long, and lets go of it soon after the job was stopped.
 * @param work is told by its signal.
 * @throws JobError with the reason for which the job was stopped.
 */
export async function unlessStopped<T>(
  storage: Storage,
  jobId: string,
  work: (signal: AbortSignal) => Promise<T>,
  run = 1,
): Promise<T> {
  const stopped = new AbortController();
  const over = new AbortController();
  const { signal } = stopped;
  const stop = ({ blame, message }: Stop) => stopped.abort(new JobError(blame, message));
  const unfollow = followStop(storage, jobId, stop, run);
  void endLate(stopped, over.signal);
  try {
    await isKnownStopped(storage, jobId, run);
    signal.throwIfAborted();
    const working = work(signal);
    working.catch(() => undefined);
    return await Promise.race([working, letGo(signal, over.signal)]);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    over.abort();
    unfollow();
  }
}

async function endLate(stopped: AbortController, over: AbortSignal): Promise<void> {
  if (await sleep(LONGEST_WORK_MS, over))
    stopped.abort(new JobError('user', 'One step of the job took longer than 4.5 hours; shorten its input.'));
}

/** Rejects when the work has not ended in time after the stop. */
async function letGo(stopped: AbortSignal, over: AbortSignal): Promise<never> {
  await once(stopped, 'abort', { signal: over });
  await sleep(LET_GO_MS, over);
  throw stopped.reason;
}

/** @returns false when `over` ended the sleep. */
const sleep = (milliseconds: number, over: AbortSignal): Promise<boolean> =>
  setTimeout(milliseconds, true, { signal: over }).catch(() => false);

const STALE = [409, 412];

/**
 * Replaces the record by what is made of it, as one step: those who decide at the same moment see each other's decision.
 * @param next leaves things as they are by returning what it gets.
 * @returns the record as it then is; undefined when there is none.
 */
async function decide<Next extends Decision | undefined>(
  storage: Storage,
  jobId: string,
  next: (before: Decision | undefined) => Next,
): Promise<Next> {
  const container = jobOf(storage, jobId);
  const blob = container.getBlockBlobClient(STOP);
  // Of most jobs this is the only decision: if there is another, the write finds out.
  for (let isLikelyFirst = next(undefined) !== undefined; ; isLikelyFirst = false) {
    const { etag, decision: before }: Awaited<ReturnType<typeof read>> = isLikelyFirst
      ? {}
      : await read(storage, jobId);
    const decision = next(before);
    if (decision === undefined || decision === before) return tellOf(decision);
    const body = JSON.stringify(decision);
    const metadata = decisionMetadata(runIn(decision), 'reason' in decision);
    const conditions = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag };
    try {
      await blob.upload(body, Buffer.byteLength(body), { conditions, metadata });
      return tellOf(decision);
    } catch (error) {
      if (isNotFound(error)) await container.createIfNotExists();
      else if (!(error instanceof RestError && STALE.includes(error.statusCode ?? 0))) throw error;
    }
  }

  function tellOf<T extends Decision | undefined>(decision: T): T {
    if (decision && 'reason' in decision) tell(sightOf(storage, jobId, runIn(decision)), decision);
    return decision;
  }
}

async function read(storage: Storage, jobId: string): Promise<{ etag?: string | undefined; decision?: Decision }> {
  try {
    const { etag, readableStreamBody } = await jobOf(storage, jobId).getBlobClient(STOP).download();
    return { etag, decision: (await json(readableStreamBody ?? Readable.from([]))) as Decision };
  } catch (error) {
    if (isNotFound(error)) return {};
    throw error;
  }
}
