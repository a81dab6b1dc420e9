import type { Stop } from '../job/attempt-end.js';
import { readJson, type Storage, writeJson } from '../storage/storage.js';
import { jobOf, STOP } from './layout.js';

/** Keeps the batches of a job from launching anything more, and ends those that run. The job need not have started yet. */
export async function writeStop(storage: Storage, jobId: string, stop: Stop): Promise<void> {
  await jobOf(storage, jobId).createIfNotExists();
  await writeJson(jobOf(storage, jobId), STOP, stop);
}

/** Why the job was stopped; undefined when it was not. */
export const readStop = (storage: Storage, jobId: string) => readJson<Stop>(jobOf(storage, jobId), STOP);

export const isStopped = (storage: Storage, jobId: string) => jobOf(storage, jobId).getBlobClient(STOP).exists();
