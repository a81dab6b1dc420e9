import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import { RestError } from '@azure/storage-blob';
import type { Stop } from '../job/attempt-end.js';
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
