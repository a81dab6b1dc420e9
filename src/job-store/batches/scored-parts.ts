import type { BlobItem, ContainerClient } from '@azure/storage-blob';
import type { IsNamed } from '../../container-contract/pack.js';
import {
  memberName,
  parseScoredPart,
  type Partly,
  presentIn,
  readAbsent,
  SCORED_PREFIX,
  scoredPrefixes,
} from '../../container-contract/places.js';
import { JobError } from '../../job/failure.js';
import { listBlobs, type Storage } from '../../storage/storage.js';
import { workOf } from '../layout.js';
import type { ResolvedJob } from '../resolved-job.js';
import { PackReader, type StoredPack } from '../stored-packs.js';

/** What was made of some consecutive items. */
export interface ScoredPart extends Partly {
  blob: string;
  bytes: number;
  etag: string;
  /** Of its bytes, in hexadecimal digits, as storage computed it; absent where it keeps none. */
  md5?: string;
  /** What it was made of, of a picture that is a file of its own: see `input-id.ts`. */
  input?: string;
  /** Whether it was taken over from another job. */
  reused: boolean;
}

/** Some items of a job by their indices. */
export interface Scored {
  /** Items with an output, and the part that holds it. */
  present: Map<number, ScoredPart>;
  /** Items that failed, according to the parts; more may have failed. */
  absent: Set<number>;
}

/** Of the items from `first` on and some around them, from one or two listings where they are no thousands. */
export async function listScored(
  storage: Storage,
  { jobId, pack }: Pick<ResolvedJob, 'jobId' | 'pack'>,
  first: number,
  count: number,
): Promise<Scored> {
  const parts: ScoredPart[] = [];
  for (const prefix of scoredPrefixes({ first, last: first + count - 1 }, pack))
    for await (const part of listParts(storage, jobId, prefix)) parts.push(part);
  return putTogether(parts);
}

function putTogether(parts: ScoredPart[]): Scored {
  const scored: Scored = { present: new Map(), absent: new Set() };
  for (const part of parts) {
    for (const index of part.absent) scored.absent.add(index);
    for (const index of presentIn(part)) if (!scored.present.has(index)) scored.present.set(index, part);
  }
  for (const index of scored.present.keys()) scored.absent.delete(index);
  return scored;
}

/**
 * What was scored of one run of items after another, from one listing of all.
 * @returns gives that of `count` items; each call asks for items behind those of the call before, which has to be over.
 */
export function scoredInTurn(storage: Storage, jobId: string): (first: number, count: number) => Promise<Scored> {
  const listing = listParts(storage, jobId);
  let open: ScoredPart[] = [];
  return async (first, count) => {
    const end = first + count;
    while ((open.at(-1)?.first ?? -1) < end) {
      const { value, done } = await listing.next();
      if (done) break;
      open.push(value);
    }
    const scored = putTogether(open.filter((part) => part.first < end));
    open = open.filter((part) => part.last >= end);
    return scored;
  };
}

/**
 * All scored parts of a job, in the order of their first items; none when its container is gone. Where a container lived on although it
 * was thought dead, its parts and those of the next one overlap: they hold the same.
 */
export async function* listParts(storage: Storage, jobId: string, prefix = SCORED_PREFIX): AsyncGenerator<ScoredPart> {
  for await (const blob of listBlobs(workOf(storage, jobId), { prefix, includeMetadata: true })) {
    const part = partOf(blob);
    if (part) yield part;
  }
}

/** Whether anything was scored. */
export async function hasScored(storage: Storage, jobId: string): Promise<boolean> {
  const { value } = await listParts(storage, jobId).next();
  return value !== undefined;
}

/** The part that a blob is, from what a listing with metadata tells of it; undefined for any other blob. */
export function partOf({ name: blob, properties, metadata = {} }: BlobItem): ScoredPart | undefined {
  const range = parseScoredPart(blob);
  if (!range) return undefined;
  const { contentLength: bytes = 0, contentMD5, etag } = properties;
  return {
    ...range,
    blob,
    bytes,
    etag,
    absent: readAbsent(range, metadata),
    ...(contentMD5 && { md5: Buffer.from(contentMD5).toString('hex') }),
    ...(metadata.input !== undefined && { input: metadata.input }),
    reused: metadata.reused !== undefined,
  };
}

/** What the members of a part should be called. */
export function namesIn(part: ScoredPart, ending: string): IsNamed {
  let indices: number[] | undefined;
  return (name, position) => {
    indices ??= [...presentIn(part)];
    const index = indices[position];
    return index !== undefined && name === memberName(index, ending);
  };
}

/**
 * Reads from a part; one that cannot be read is removed, so that its items are scored again.
 * @throws JobError `item` as `read` does.
 */
export async function orScoredAgain<T>(work: ContainerClient, part: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof JobError && cause.blame === 'item') await work.getBlobClient(part).deleteIfExists();
    throw cause;
  }
}

/**
 * Looks through packs once one is found that cannot be read, and removes all that cannot: so many may be damaged at once that items would
 * be scored again too often if each were found by itself.
 * @param packOf the pack that holds what is needed of a part.
 */
export async function removeDamaged(
  work: ContainerClient,
  parts: Iterable<ScoredPart> | AsyncIterable<ScoredPart>,
  packOf: (part: ScoredPart) => StoredPack,
): Promise<void> {
  const packs = new PackReader(work);
  for await (const part of parts)
    await orScoredAgain(work, part.blob, () => packs.check(packOf(part))).catch((error: unknown) => {
      if (!(error instanceof JobError && error.blame === 'item')) throw error;
    });
}
