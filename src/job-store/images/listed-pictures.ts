import { createHash } from 'node:crypto';
import pMap, { pMapIterable } from 'p-map';
import { presentIn } from '../../container-contract/places.js';
import { again } from '../../container-contract/storage-access.js';
import { JobError } from '../../job/failure.js';
import { bareEtag } from '../../job/inbox/media-event.js';
import { LIST_LENGTH, type ListedItem } from '../../job/items/item-list.js';
import { createListedOutputs, isJsonList, readNames } from '../../job/items/name-list.js';
import type { JobSpec } from '../../job/spec.js';
import { isNotFound, type Storage } from '../../storage/storage.js';
import { listParts } from '../batches/scored-parts.js';
import { FAILED_ITEMS, jobOf, mediaBlob } from '../layout.js';
import { readFoundItems, readList, writeItemList } from './items.js';

/** Images that are looked for at the same time. */
const LOOKS = 32;
const EXAMPLES = 3;

type List = NonNullable<JobSpec['input']['list']>;

/** The blob of a list and what it is called: one of the inbox, or what another job has failed to score. */
export function listBlobOf(storage: Storage, list: List) {
  if (typeof list === 'string') return { name: list, blob: mediaBlob(storage, list), isJson: isJsonList(list) };
  const name = `of the failed items of job ${list.failedItemsOf}`;
  return { name, blob: jobOf(storage, list.failedItemsOf).getBlockBlobClient(FAILED_ITEMS), isJson: true };
}

/** What was found out about the names in a list. */
export interface ListTally {
  /** Lines with a name that came before. */
  repeated: number;
  missing: number;
  /** Some of those that are missing. */
  examples: string[];
}

/**
 * The images that a list names, in its order, each once. One that is not there has no version, so that it fails by its name.
 * @param images folder in the media account that the names are below.
 * @throws JobError `user` when there is no such list, or a line is wrong.
 */
export async function* readListedPictures(
  storage: Storage,
  images: string,
  list: List,
  tally: ListTally,
): AsyncGenerator<ListedItem> {
  const { name: called, blob, isJson } = listBlobOf(storage, list);
  const { readableStreamBody } = await again(() => blob.download()).catch((cause: unknown) => {
    throw isNotFound(cause) ? missingList(called) : cause;
  });
  const nameOutput = createListedOutputs((name) => createHash('sha256').update(name).digest().readBigUInt64LE());
  const bytes = (readableStreamBody ?? []) as AsyncIterable<Uint8Array>;
  async function* once(): AsyncGenerator<ListedItem> {
    for await (const name of readNames(called, bytes, { isJson })) {
      const output = nameOutput(name);
      if (output === undefined) tally.repeated += 1;
      else yield { name, output };
    }
  }
  const look = async (item: ListedItem): Promise<ListedItem> => {
    const version = await versionOf(storage, `${images}${item.name}`);
    if (version) return { ...item, ...version };
    tally.missing += 1;
    if (tally.examples.length < EXAMPLES) tally.examples.push(item.name);
    return item;
  };
  yield* pMapIterable(once(), look, { concurrency: LOOKS, backpressure: 4 * LOOKS });
}

/**
 * The names in a list, each once, whether they are there or not.
 * @throws JobError `user`, as `readListedPictures`.
 */
export async function* readListedNames(storage: Storage, list: List): AsyncGenerator<string> {
  const { name: called, blob, isJson } = listBlobOf(storage, list);
  const { readableStreamBody } = await again(() => blob.download()).catch((cause: unknown) => {
    throw isNotFound(cause) ? missingList(called) : cause;
  });
  const seen = new Set<string>();
  const bytes = (readableStreamBody ?? []) as AsyncIterable<Uint8Array>;
  for await (const name of readNames(called, bytes, { isJson })) {
    if (seen.has(name)) continue;
    seen.add(name);
    yield name;
  }
}

/** Undefined when there is no such picture. */
async function versionOf(storage: Storage, picture: string): Promise<{ etag: string; bytes: number } | undefined> {
  try {
    const { etag = '', contentLength = 0 } = await again(() => mediaBlob(storage, picture).getProperties());
    return { etag: bareEtag(etag), bytes: contentLength };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/**
 * Lists those pictures of a folder that have no output as they are now: who starts a job once more means the mended picture. What has an
 * output keeps the version that it is made of.
 */
export async function takeNewVersions(
  storage: Storage,
  { jobId, images }: { jobId: string; images: string },
  signal?: AbortSignal,
): Promise<void> {
  const { items } = (await readFoundItems(storage, jobId)) ?? { items: 0 };
  const scored = new Uint8Array(items);
  for await (const part of listParts(storage, jobId)) for (const index of presentIn(part)) scored[index] = 1;
  for (let first = 0; first < items; first += LIST_LENGTH) {
    if (!scored.subarray(first, first + LIST_LENGTH).includes(0)) continue;
    const list = first / LIST_LENGTH;
    const before = await readList(storage, jobId, list);
    const look = async (item: ListedItem, line: number): Promise<ListedItem> => {
      signal?.throwIfAborted();
      if (scored[first + line] === 1) return item;
      const version = await versionOf(storage, `${images}${item.name}`);
      return version === undefined || version.etag === item.etag ? item : { ...item, ...version };
    };
    const now = await pMap(before, look, { concurrency: LOOKS });
    if (now.some((item, line) => item !== before[line])) await writeItemList(storage, jobId, list, now);
  }
}

/** The one sentence for a list that is not there. */
export const missingList = (called: string) =>
  new JobError('user', `There is no list ${called}; upload it first, or name another one.`);
