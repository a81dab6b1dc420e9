import { type BlobLeaseClient, type BlockBlobClient, RestError } from '@azure/storage-blob';
import { JobError } from '../job/failure.js';

/** The service takes 15 to 60. When the holder of a blob dies, the others wait for this long. */
const LEASE_SECONDS = 30;
const RENEW_MS = 10_000;
const ASK_AGAIN_SECONDS = 5;

/** @throws JobError `platform` when another worker has taken the lease. */
export type Confirm = () => Promise<void>;

/**
 * Does `work` while nobody else holds this blob, which must exist; renews the lease until the work ends.
 * @param what names the work, for the sentence.
 * @throws JobError `platform` when another worker holds the blob.
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

/** Lets others hold the blob at once: whoever holds it lives no more. Whoever does all the same is told so when it confirms. */
export async function freeFromDead(blob: BlockBlobClient): Promise<void> {
  try {
    await blob.getBlobLeaseClient().breakLease(0);
  } catch (error) {
    // 404: there is no such blob; 409: nobody holds it.
    if (!(error instanceof RestError && (error.statusCode === 404 || error.statusCode === 409))) throw error;
  }
}

/** @throws JobError `platform` in place of a storage error which says that another worker holds the blob. */
export async function orHeld(what: string, request: () => Promise<unknown>): Promise<void> {
  try {
    await request();
  } catch (cause) {
    const code = cause instanceof RestError ? (cause.code ?? '') : '';
    if (!code.startsWith('Lease')) throw cause;
    throw new JobError(
      'platform',
      `Another worker is busy with ${what}; this one tries again in ${ASK_AGAIN_SECONDS} seconds.`,
      {
        cause,
        retryAfterSeconds: ASK_AGAIN_SECONDS,
      },
    );
  }
}

/** Gives the lease back; one that cannot be given back ends by itself. */
async function release(lease: BlobLeaseClient): Promise<void> {
  try {
    await lease.releaseLease();
  } catch (error) {
    if (!(error instanceof RestError)) throw error;
  }
}
