import { createHash } from 'node:crypto';
import { type Claim, claimed, claimedText, type Version } from '../../job/inbox/claim.js';
import type { MediaEvent } from '../../job/inbox/media-event.js';
import { makeJobId } from '../../job/spec.js';
import { changeJson, listBlobs, readJson, type Storage } from '../../storage/storage.js';
import { claimBlob, claimsOf } from '../layout.js';

const hashOf = (version: Version) => createHash('sha256').update(claimedText(version)).digest('hex');

const CLAIM_PREFIX = 'inbox-';
const CLAIM_DIGITS = 32;
const JOB_DIGITS = 16;

/** The id of the claim to a version of a blob: the same whoever claims it, and whenever. */
export const claimId = (version: Version): string => `${CLAIM_PREFIX}${hashOf(version).slice(0, CLAIM_DIGITS)}`;

/**
 * The id of the one job that a version of a blob starts.
 * @param input path of the job's input, for a readable id.
 */
export const claimedJobId = (version: Version, input: string): string =>
  makeJobId(input, hashOf(version).slice(CLAIM_DIGITS, CLAIM_DIGITS + JOB_DIGITS));

/** Undefined when nobody has claimed it. */
export const readClaim = (storage: Storage, claim: string) => readJson<Claim>(claimsOf(storage), claimBlob(claim));

/** Claims a version of a blob, unless that was done before. @returns the claim as it is. */
export function claimVersion(storage: Storage, event: MediaEvent): Promise<Claim> {
  const claim = claimId(event);
  return changeJson<Claim>(claimsOf(storage), claimBlob(claim), (before) => before ?? claimed(claim, event));
}

/** Takes a claim a step further, as it is at that moment. @returns the claim as it then is. */
export const changeClaim = (storage: Storage, claim: Claim, step: (before: Claim) => Claim): Promise<Claim> =>
  // One that somebody has removed meanwhile is made again: its job is not to start twice.
  changeJson<Claim>(claimsOf(storage), claimBlob(claim.claim), (before) => step(before ?? claim));

/** Removes claims that have not changed since then. @param before milliseconds since the epoch. @returns how many. */
export async function removeClaims(storage: Storage, before: number): Promise<number> {
  let removed = 0;
  for await (const { name, properties } of listBlobs(claimsOf(storage), { prefix: CLAIM_PREFIX })) {
    if (properties.lastModified.getTime() >= before) continue;
    await claimsOf(storage).getBlobClient(name).deleteIfExists();
    removed += 1;
  }
  return removed;
}
