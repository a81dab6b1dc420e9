import { once } from 'node:events';
import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { RestError } from '@azure/storage-blob';
import type { Stop } from '../job/attempts/attempt-end.js';
import { JobError } from '../job/failure.js';
import { isNotFound, readJson, type Storage } from '../storage/storage.js';
import { jobOf, STOP } from './layout.js';
import { seenStopped } from './now.js';

/** Why the job was stopped; undefined when it was not. */
export const readStop = (storage: Storage, jobId: string) => readJson<Stop>(jobOf(storage, jobId), STOP);

/**
 * Keeps the batches of a job from launching anything more, and ends those that run, unless the stop says to let them finish. A job that has
 * been stopped before stays so, but what was left to finish is ended by a stop that does not say so.
 */
export const stopJob = (storage: Storage, jobId: string, stop: Stop): Promise<Stop> =>
  decide(storage, jobId, (before) => {
    if (before?.running !== 'finish' || stop.running === 'finish') return before ?? stop;
    const { running: _, ...at } = before;
    return at;
  });

/**
 * Stops a job because somebody asked for it; the job need not have started yet.
 * @returns whether the job ends as cancelled: false when it has ended before.
 */
export async function cancelJob(storage: Storage, jobId: string, message: string): Promise<boolean> {
  const stop: Stop = { reason: 'cancelled', blame: 'user', message };
  const decided = await decide(storage, jobId, (before) =>
    before?.ended || before?.reason === 'cancelled' ? before : stop,
  );
  return decided.reason === 'cancelled';
}

/** Decides how a job ends, once and for all: as it asks for, unless it was cancelled before. @returns how it ends. */
export const endJob = (storage: Storage, jobId: string, end: Omit<Stop, 'ended'>): Promise<Stop> =>
  decide(storage, jobId, (before) => {
    if (before?.ended) return before;
    if (before?.reason === 'cancelled') return { ...before, ended: true };
    const exceeded = before?.exceeded === true && end.reason === 'failed' && end.blame === 'user';
    return { ...end, ...(exceeded && { exceeded }), ended: true };
  });

/** How much later than the process that stops a job all others learn of it at most, if storage answers. */
const LOOK_MS = 5000;
/** What work gets to end by itself once its job is stopped, e.g. to remove its files. */
const LET_GO_MS = 2000;
/** Well below `functionTimeout` in host.json, at which the host would end the worker and all that runs in it. */
const LONGEST_WORK_MS = 4.5 * 3600 * 1000;
/** Jobs that nobody follows any more are forgotten beyond so many. */
const MOST_SIGHTS = 1000;

/** What this process knows of the stop of a job. A stop that was seen holds: at most its reason becomes "cancelled". */
interface Sight {
  stop?: Stop;
  /** When storage last said that there was none, on the process's clock. */
  clearAt: number;
  asking?: Promise<void> | undefined;
  /** Who is told once. */
  followers: Set<(stop: Stop) => void>;
  isFollowed: boolean;
}

/** All work of a process for a job shares one sight, and so one look at storage now and then. */
const sights = new WeakMap<Storage, Map<string, Sight>>();

function sightOf(storage: Storage, jobId: string): Sight {
  const all = sights.get(storage) ?? new Map<string, Sight>();
  sights.set(storage, all);
  const known = all.get(jobId);
  if (known) return known;
  for (const [id, { followers }] of all) {
    if (all.size < MOST_SIGHTS) break;
    if (followers.size === 0) all.delete(id);
  }
  const sight: Sight = { clearAt: -Infinity, followers: new Set(), isFollowed: false };
  all.set(jobId, sight);
  return sight;
}

function tell(sight: Sight, stop: Stop): void {
  sight.stop = stop;
  for (const follower of sight.followers) follower(stop);
  sight.followers.clear();
}

async function ask(storage: Storage, jobId: string, sight: Sight): Promise<void> {
  const askedAt = performance.now();
  const stop = await readStop(storage, jobId);
  // What this process has decided meanwhile is newer.
  if (stop) tell(sight, sight.stop ?? stop);
  else sight.clearAt = Math.max(sight.clearAt, askedAt);
}

/** Whether the job is stopped at this moment. */
export async function isStopped(storage: Storage, jobId: string): Promise<boolean> {
  const sight = sightOf(storage, jobId);
  if (!sight.stop) await ask(storage, jobId, sight);
  return sight.stop !== undefined;
}

/** Whether the job was stopped: by this process, or some seconds ago by another. */
export async function isKnownStopped(storage: Storage, jobId: string): Promise<boolean> {
  const sight = sightOf(storage, jobId);
  const seen = seenStopped(storage, jobId);
  if (seen) sight.clearAt = seen.isStopped ? -Infinity : Math.max(sight.clearAt, seen.askedAt);
  if (!sight.stop && performance.now() - sight.clearAt >= LOOK_MS)
    await (sight.asking ??= ask(storage, jobId, sight).finally(() => (sight.asking = undefined)));
  return sight.stop !== undefined;
}

/**
 * Tells when the job is stopped: at once when this process does it, some seconds later when another does.
 * @returns ends that.
 */
export function followStop(storage: Storage, jobId: string, told: (stop: Stop) => void): () => void {
  const sight = sightOf(storage, jobId);
  if (sight.stop) {
    told(sight.stop);
    return () => undefined;
  }
  sight.followers.add(told);
  if (!sight.isFollowed) void keepLooking(storage, jobId, sight);
  return () => sight.followers.delete(told);
}

async function keepLooking(storage: Storage, jobId: string, sight: Sight): Promise<void> {
  sight.isFollowed = true;
  for (let failed = false; ;) {
    const clearFor = failed ? 0 : Math.max(0, performance.now() - sight.clearAt);
    await setTimeout(Math.max(1, LOOK_MS - Math.min(clearFor, LOOK_MS)), undefined, { ref: false });
    if (sight.followers.size === 0) break;
    // A look that fails says nothing; the work finds out for itself when storage is away.
    failed = await isKnownStopped(storage, jobId).then(
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
): Promise<T> {
  const stopped = new AbortController();
  const over = new AbortController();
  const { signal } = stopped;
  const unfollow = followStop(storage, jobId, ({ blame, message }) => stopped.abort(new JobError(blame, message)));
  void endLate(stopped, over.signal);
  try {
    await isKnownStopped(storage, jobId);
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
 * @returns the record as it then is.
 */
async function decide(storage: Storage, jobId: string, next: (before: Stop | undefined) => Stop): Promise<Stop> {
  const container = jobOf(storage, jobId);
  await container.createIfNotExists();
  const blob = container.getBlockBlobClient(STOP);
  for (;;) {
    const { etag, stop: before } = await read(storage, jobId);
    const stop = next(before);
    if (stop === before) {
      tell(sightOf(storage, jobId), stop);
      return stop;
    }
    const body = JSON.stringify(stop);
    const conditions = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag };
    try {
      await blob.upload(body, Buffer.byteLength(body), { conditions });
      tell(sightOf(storage, jobId), stop);
      return stop;
    } catch (error) {
      if (!(error instanceof RestError && STALE.includes(error.statusCode ?? 0))) throw error;
    }
  }
}

async function read(storage: Storage, jobId: string): Promise<{ etag?: string | undefined; stop?: Stop }> {
  try {
    const { etag, readableStreamBody } = await jobOf(storage, jobId).getBlobClient(STOP).download();
    return { etag, stop: (await json(readableStreamBody ?? Readable.from([]))) as Stop };
  } catch (error) {
    if (isNotFound(error)) return {};
    throw error;
  }
}
