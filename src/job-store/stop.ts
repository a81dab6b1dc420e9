import { once } from 'node:events';
import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { RestError } from '@azure/storage-blob';
import type { Stop } from '../job/attempt-end.js';
import { JobError } from '../job/failure.js';
import { isNotFound, readJson, type Storage } from '../storage/storage.js';
import { jobOf, STOP } from './layout.js';

/** Why the job was stopped; undefined when it was not. */
export const readStop = (storage: Storage, jobId: string) => readJson<Stop>(jobOf(storage, jobId), STOP);

export const isStopped = (storage: Storage, jobId: string) => jobOf(storage, jobId).getBlobClient(STOP).exists();

/** Keeps the batches of a job from launching anything more, and ends those that run, unless the job has been stopped before. */
export const stopJob = (storage: Storage, jobId: string, stop: Stop): Promise<Stop> =>
  decide(storage, jobId, (before) => before ?? stop);

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
    return { ...(before?.reason === 'cancelled' ? before : end), ended: true };
  });

const LOOK_MS = 1000;
/** What work gets to end by itself once its job is stopped, e.g. to remove its files. */
const LET_GO_MS = 2000;
/** Well below `functionTimeout` in host.json, at which the host would end the worker and all that runs in it. */
const LONGEST_WORK_MS = 4.5 * 3600 * 1000;

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
  const watching = watchFor(storage, jobId, stopped, over.signal);
  try {
    if (await isStopped(storage, jobId)) throw await reasonOf(storage, jobId);
    const working = work(signal);
    working.catch(() => undefined);
    return await Promise.race([working, letGo(signal, over.signal)]);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    over.abort();
    await watching;
  }
}

/** Aborts once the job is stopped, or the work takes too long. */
async function watchFor(storage: Storage, jobId: string, stopped: AbortController, over: AbortSignal): Promise<void> {
  const deadline = performance.now() + LONGEST_WORK_MS;
  while (await sleep(LOOK_MS, over)) {
    // A look that fails says nothing; the work finds out for itself when storage is away.
    const reason = await isStopped(storage, jobId)
      .then((is) => (is ? reasonOf(storage, jobId) : undefined))
      .catch(() => undefined);
    if (reason) stopped.abort(reason);
    else if (performance.now() > deadline)
      stopped.abort(new JobError('user', 'One step of the job took longer than 4.5 hours; shorten its input.'));
    if (stopped.signal.aborted) return;
  }
}

async function reasonOf(storage: Storage, jobId: string): Promise<JobError> {
  const { blame = 'platform', message = 'The job was stopped.' } = (await readStop(storage, jobId)) ?? {};
  return new JobError(blame, message);
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
    if (stop === before) return stop;
    const body = JSON.stringify(stop);
    const conditions = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag };
    try {
      await blob.upload(body, Buffer.byteLength(body), { conditions });
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
