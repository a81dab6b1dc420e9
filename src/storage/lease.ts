import { type BlobLeaseClient, type BlockBlobClient, RestError } from '@azure/storage-blob';
import { JobError } from '../job/failure.js';

/** The service takes 15 to 60. Whoever died holding a blob keeps others waiting for so long. */
const LEASE_SECONDS = 30;
const RENEW_MS = 10_000;
const ASK_AGAIN_SECONDS = 5;

/** @throws JobError `platform` when the lease has gone to somebody else. */
export type Confirm = () => Promise<void>;

/**
 * Does `work` while nobody else holds this blob, which must exist. The lease is renewed until the work has ended.
 * @param what names the work, for the sentence.
 * @throws JobError `platform` when somebody else holds it.
 */
export async function whileHolding<T>(
  blob: BlockBlobClient,
  what: string,
  work: (confirm: Confirm) => Promise<T>,
): Promise<T> {
  const lease = blob.getBlobLeaseClient();
  await orHeld(what, () => lease.acquireLease(LEASE_SECONDS));
  const renewing = setInterval(() => void lease.renewLease().catch(() => undefined), RENEW_MS);
  try {
    return await work(() => orHeld(what, () => lease.renewLease()));
  } finally {
    clearInterval(renewing);
    await release(lease);
  }
}

/** @throws JobError `platform` in place of the errors that say that somebody else holds the blob. */
export async function orHeld(what: string, request: () => Promise<unknown>): Promise<void> {
  try {
    await request();
  } catch (cause) {
    const code = cause instanceof RestError ? (cause.code ?? '') : '';
    if (!code.startsWith('Lease')) throw cause;
    throw new JobError('platform', `Somebody else is at ${what}; it is looked at again.`, {
      cause,
      retryAfterSeconds: ASK_AGAIN_SECONDS,
    });
  }
}

/** A lease that cannot be given back ends by itself. */
async function release(lease: BlobLeaseClient): Promise<void> {
  try {
    await lease.releaseLease();
  } catch (error) {
    if (!(error instanceof RestError)) throw error;
  }
}
