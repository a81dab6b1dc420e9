import { JobError, messageOf } from '../../job/failure.js';
import { type Storage, writeJson } from '../../storage/storage.js';
import { jobOf, waitingBlob } from '../layout.js';

/** A batch that waits; `attempt` is the last one that it was launched with, 0 before the first. */
interface Waiter {
  jobId: string;
  batch: number;
  attempt: number;
}

/** Lets the job's status tell why this batch has to wait. */
export async function noteWaiting(storage: Storage, { jobId, batch, attempt }: Waiter, reason: string): Promise<void> {
  // Metadata holds only what an HTTP header can.
  const metadata = { attempt: String(attempt), reason: encodeURIComponent(reason) };
  await writeJson(jobOf(storage, jobId), waitingBlob(batch), { attempt, reason }, metadata);
}

/** A batch that waits or has waited, and why. */
export interface Waiting extends Omit<Waiter, 'jobId'> {
  reason: string;
}

/** Reads what `noteWaiting` put into the metadata. */
export const waitingOf = (batch: number, { attempt = '0', reason = '' }: Record<string, string>): Waiting => ({
  batch,
  attempt: Number(attempt),
  reason: decodeURIComponent(reason),
});

export async function forgetWaiting(storage: Storage, { jobId, batch }: Omit<Waiter, 'attempt'>): Promise<void> {
  await jobOf(storage, jobId).getBlobClient(waitingBlob(batch)).deleteIfExists();
}

/** Asks something of the platform; while the platform is to blame for a failure, the job's status tells why the batch waits. */
export async function orNoteWaiting<T>(storage: Storage, waiter: Waiter, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof JobError && error.blame === 'platform') await noteWaiting(storage, waiter, messageOf(error));
    throw error;
  }
}
