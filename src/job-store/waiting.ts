import { JobError } from '../job/failure.js';
import { jobOf, waitingBlob } from './layout.js';
import { type Storage, writeJson } from '../storage/storage.js';

/** A batch that waits; `attempt` is the last one that it was launched with, 0 before the first. */
interface Waiter {
  jobId: string;
  batch: number;
  attempt: number;
}

/** Lets the job's status tell why this batch has to wait. */
export async function noteWaiting(storage: Storage, { jobId, batch, attempt }: Waiter, reason: string): Promise<void> {
  // Metadata, which a listing brings along, holds only what an HTTP header can.
  const metadata = { attempt: String(attempt), reason: encodeURIComponent(reason) };
  await writeJson(jobOf(storage, jobId), waitingBlob(batch), { attempt, reason }, metadata);
}

export async function forgetWaiting(storage: Storage, { jobId, batch }: Omit<Waiter, 'attempt'>): Promise<void> {
  await jobOf(storage, jobId).getBlobClient(waitingBlob(batch)).deleteIfExists();
}

/** Asks something of the platform; while it fails, the job's status tells why. */
export async function orTell<T>(storage: Storage, waiter: Waiter, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof JobError && error.kind === 'platform') await noteWaiting(storage, waiter, error.message);
    throw error;
  }
}
