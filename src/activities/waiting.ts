import { JobError } from '../job/failure.js';
import { waitingBlob } from '../storage/layout.js';
import { jobOf, type Storage, writeJson } from '../storage/storage.js';

/** Lets the job's status tell why this batch has to wait for its next container. */
export async function noteWaiting(
  storage: Storage,
  { jobId, batch }: { jobId: string; batch: number },
  reason: string,
): Promise<void> {
  // Metadata, which a listing brings along, holds only what an HTTP header can.
  await writeJson(jobOf(storage, jobId), waitingBlob(batch), { reason }, { reason: encodeURIComponent(reason) });
}

/** Launches; while the platform fails to, the job's status tells why. */
export async function launchOrTell(
  storage: Storage,
  batch: { jobId: string; batch: number },
  launch: () => Promise<void>,
): Promise<void> {
  try {
    await launch();
  } catch (error) {
    if (error instanceof JobError && error.kind === 'platform') await noteWaiting(storage, batch, error.message);
    throw error;
  }
  await jobOf(storage, batch.jobId).getBlobClient(waitingBlob(batch.batch)).deleteIfExists();
}
