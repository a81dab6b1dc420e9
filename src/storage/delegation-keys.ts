import { type BlobServiceClient, RestError, type UserDelegationKey } from '@azure/storage-blob';
import { JobError } from '../job/failure.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** The service gives out no key that lasts longer. */
const LONGEST = 7 * DAY;
/** Long enough that the app asks for few keys, and short enough that it soon replaces one that was revoked. */
const USUAL = DAY;

/** By how much the clocks of this machine, the storage service and a container may differ. */
export const CLOCK_SKEW_MS = 15 * MINUTE;

/**
 * The keys that one storage account gives the app's identity to sign SAS URLs with. Keeps the last one in memory and asks for
 * another when it does not last long enough.
 */
export class DelegationKeys {
  #key: { expiresOn: number; value: Promise<UserDelegationKey> } | undefined;

  constructor(private readonly service: BlobServiceClient) {}

  /**
   * A key that is valid now and at least until `until` (milliseconds since the epoch).
   * @throws JobError `user` when the identity lacks the right, or `until` is more than seven days away.
   */
  async lasting(until: number): Promise<UserDelegationKey> {
    const known = this.#key;
    if (known && known.expiresOn >= until) return known.value;
    const startsOn = Date.now() - CLOCK_SKEW_MS;
    const expiresOn = Math.max(until, Date.now() + USUAL);
    if (expiresOn > startsOn + LONGEST)
      throw new JobError('user', 'Storage gives access for seven days at most; lower timeouts.batchSeconds.');
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
