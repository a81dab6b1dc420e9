import { createHash } from 'node:crypto';
import { pMapIterable } from 'p-map';
import { again } from '../../container-contract/storage-access.js';
import { JobError } from '../../job/failure.js';
import { bareEtag } from '../../job/inbox/media-event.js';
import type { ListedItem } from '../../job/item-list.js';
import { createListedOutputs, isJsonList, readNames } from '../../job/name-list.js';
import type { JobSpec } from '../../job/spec.js';
import { isNotFound, type Storage } from '../../storage/storage.js';
import { FAILED_ITEMS, jobOf, mediaBlob } from '../layout.js';

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
    const found = await again(() => mediaBlob(storage, `${images}${item.name}`).getProperties()).catch(
      (error: unknown) => {
        if (!isNotFound(error)) throw error;
      },
    );
    if (found) return { ...item, etag: bareEtag(found.etag ?? '') };
    tally.missing += 1;
    if (tally.examples.length < EXAMPLES) tally.examples.push(item.name);
    return item;
  };
  yield* pMapIterable(once(), look, { concurrency: LOOKS, backpressure: 4 * LOOKS });
}

/** The one sentence for a list that is not there. */
export const missingList = (called: string) =>
  new JobError('user', `There is no list ${called}; upload it first, or name another one.`);
