import { type BlobServiceClient, RestError, type UserDelegationKey } from '@azure/storage-blob';
import { JobError } from '../job/failure.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** The service gives no key that lasts longer. */
const LONGEST = 7 * DAY;
/** A key is asked for a day at least, so that few are asked for, and one that was revoked is soon replaced. */
const USUAL = DAY;

/** How far the clocks of this machine, the storage service and a container may differ. */
export const CLOCK_SKEW_MS = 15 * MINUTE;

/**
 * The keys that one storage account gives the app's identity to sign SAS URLs with; kept in memory and renewed when one does
 * not last long enough.
 */
export class DelegationKeys {
  #key: { expiresOn: number; value: Promise<UserDelegationKey> } | undefined;

  constructor(
    private readonly service: BlobServiceClient,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * A key that is valid now and at least until `until` (milliseconds since the epoch).
   * @throws JobError `user` when the identity lacks the right, or `until` is more than seven days away.
   */
  async lasting(until: number): Promise<UserDelegationKey> {
    const known = this.#key;
    if (known && known.expiresOn >= until) return known.value;
    const startsOn = this.now() - CLOCK_SKEW_MS;
    const expiresOn = Math.max(until, this.now() + USUAL);
    if (expiresOn > startsOn + LONGEST)
      throw new JobError('user', 'Access to storage can be given for seven days at most; lower timeouts.batchSeconds.');
    const key = { expiresOn, value: this.#ask(startsOn, expiresOn) };
    this.#key = key;
    key.value.catch(() => {
      if (this.#key === key) this.#key = undefined;
    });
    return key.value;
  }

  async #ask(startsOn: number, expiresOn: number): Promise<UserDelegationKey> {
    try {
      return await this.service.getUserDelegationKey(new Date(startsOn), new Date(expiresOn));
    } catch (cause) {
      if (cause instanceof RestError && cause.statusCode === 403)
        throw new JobError(
          'user',
          `The app's identity may not give access to the storage account ${this.service.accountName}; grant it the role Storage Blob Data Contributor on the account.`,
          { cause },
        );
      throw cause;
    }
  }
}
