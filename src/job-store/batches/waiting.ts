import type { NextTurn } from '../../job/attempts/room.js';
import { JobError, messageOf } from '../../job/failure.js';
import { type Storage, writeJson } from '../../storage/storage.js';
import { jobOf, waitingBlob } from '../layout.js';

/** A batch that waits; `attempt` is the last one that it was launched with, 0 before the first. */
export interface Waiter {
  jobId: string;
  batch: number;
  attempt: number;
  /** Where it turns to, if it finds no room. */
  turn?: NextTurn | undefined;
}

/** Lets the job's status tell why this batch has to wait. */
export async function noteWaiting(
  storage: Storage,
  { jobId, batch, attempt, turn }: Waiter,
  reason: string,
): Promise<void> {
  // Metadata holds only what an HTTP header can.
  const next = turn && { turn: encodeURIComponent(JSON.stringify(turn)) };
  const metadata = { attempt: String(attempt), reason: encodeURIComponent(reason), ...next };
  await writeJson(jobOf(storage, jobId), waitingBlob(batch), { attempt, reason, turn }, metadata);
}

/** A batch that waits or has waited, and why. */
export interface Waiting extends Omit<Waiter, 'jobId'> {
  reason: string;
  /** When that was written down, in milliseconds since the epoch. */
  at: number;
}

/** Reads what `noteWaiting` put into the metadata. */
export const waitingOf = (
  batch: number,
  at: number,
  { attempt = '0', reason = '', turn }: Record<string, string>,
): Waiting => ({
  batch,
  at,
  attempt: Number(attempt),
  reason: decodeURIComponent(reason),
  ...(turn !== undefined && { turn: JSON.parse(decodeURIComponent(turn)) as NextTurn }),
});

export async function forgetWaiting(
  storage: Storage,
  { jobId, batch }: Pick<Waiter, 'jobId' | 'batch'>,
): Promise<void> {
  await jobOf(storage, jobId).getBlobClient(waitingBlob(batch)).deleteIfExists();
}

/** Asks something of the platform; while the platform is to blame for a failure, the job's status tells why the batch waits. */
export async function orNoteWaiting<T>(storage: Storage, waiter: Waiter, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof JobError && error.blame === 'platform') {
      const { turn, ...where } = waiter;
      await noteWaiting(storage, error.noRoom ? { ...where, turn } : where, messageOf(error));
    }
    throw error;
  }
}
