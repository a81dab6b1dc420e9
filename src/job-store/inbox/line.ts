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

/** @param blob where it stands. */
export async function leaveLine(storage: Storage, blob: string): Promise<void> {
  await claimsOf(storage).getBlobClient(blob).deleteIfExists();
}

/** Someone in line. */
export interface Standing {
  /** Id of the claim. */
  claim: string;
  /** Where it stands. */
  blob: string;
}

/**
 * Who came first of all that wait; undefined when nobody waits.
 * @param others where those stand who are passed over.
 */
export async function firstInLine(
  storage: Storage,
  others: ReadonlySet<string> = new Set(),
): Promise<Standing | undefined> {
  const { items, next } = await listPage(claimsOf(storage), { prefix: LINE_PREFIX }, undefined, 1 + others.size);
  const isNext = ({ name }: { name: string }) => !others.has(name);
  let name = items.find(isNext)?.name;
  // A page may be empty although there are more.
  if (name === undefined && next !== undefined)
    for await (const each of listBlobs(claimsOf(storage), { prefix: LINE_PREFIX })) {
      if (!isNext(each)) continue;
      name = each.name;
      break;
    }
  return name === undefined ? undefined : { claim: parseLineName(name) ?? '', blob: name };
}
