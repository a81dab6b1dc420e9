import { type Claim, arrivalOf, LINE_PREFIX, lineName, parseLineName } from '../../job/inbox/claim.js';
import { listBlobs, listPage, type Storage } from '../../storage/storage.js';
import { again } from '../../container-contract/storage-access.js';
import { claimsOf } from '../layout.js';

/** The claim's own record says when it came; what does not was found, and made, at the same moment everywhere. */
const nameOf = ({ claim, event }: Claim) => lineName(claim, arrivalOf(event.time, NO_ARRIVAL));

/** Those that do not say when they came go last. */
const NO_ARRIVAL = 10 ** 14;

/** Lets what waits for room stand in line, where its arrival puts it. */
export async function standInLine(storage: Storage, claim: Claim): Promise<void> {
  const blob = claimsOf(storage).getBlockBlobClient(nameOf(claim));
  await again(() => blob.upload('', 0));
}

export async function leaveLine(storage: Storage, claim: Claim): Promise<void> {
  await claimsOf(storage).getBlobClient(nameOf(claim)).deleteIfExists();
}

/** Id of the claim that came first of all that wait; undefined when none does. */
export async function firstInLine(storage: Storage): Promise<string | undefined> {
  const { items } = await listPage(claimsOf(storage), { prefix: LINE_PREFIX }, undefined, 1);
  const [first] = items;
  if (first) return parseLineName(first.name);
  // A page may be empty although there are more.
  for await (const { name } of listBlobs(claimsOf(storage), { prefix: LINE_PREFIX })) return parseLineName(name);
  return undefined;
}
