import { Readable } from 'node:stream';
import { JobError } from '../../job/failure.js';
import { placeOf } from '../../job/items/item-list.js';
import { readBytes, type Storage } from '../../storage/storage.js';
import { predictionsPart, workOf } from '../layout.js';

const BUFFER_BYTES = 4 * 1024 * 1024;

/** Keeps what was said of the items of one item list, one JSON line each: whole or not at all. */
export async function writePredictionsPart(
  storage: Storage,
  jobId: string,
  firstItem: number,
  lines: Iterable<string> | AsyncIterable<string>,
): Promise<void> {
  const part = workOf(storage, jobId).getBlockBlobClient(predictionsPart(placeOf(firstItem).list));
  await part.uploadStream(Readable.from(lines, { objectMode: false }), BUFFER_BYTES, 2);
}

/**
 * The bytes of all parts of a job with this many items, in order.
 * @throws JobError `item` when somebody removed a part: collecting the items makes it again.
 */
export async function* readPredictions(
  storage: Storage,
  jobId: string,
  items: number,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const lists = placeOf(items - 1).list + 1;
  for (let list = 0; list < lists; list += 1) {
    signal?.throwIfAborted();
    yield await readPart(storage, jobId, list);
  }
}

async function readPart(storage: Storage, jobId: string, list: number): Promise<Buffer> {
  const work = workOf(storage, jobId);
  const name = predictionsPart(list);
  const part = await readBytes(work, name);
  if (part === undefined) throw new JobError('item', `The predictions ${work.containerName}/${name} are gone.`);
  return part;
}
