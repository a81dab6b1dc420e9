import pMap, { pMapIterable } from 'p-map';
import { type ListedItem, LIST_LENGTH, placeOf } from '../../job/items/item-list.js';
import { memberName, predictedPart, type ScoredFormat } from '../../container-contract/places.js';
import { splitPath, workOf } from '../../job-store/layout.js';
import { again } from '../../container-contract/storage-access.js';
import { contentTypeOf } from '../../job/items/formats.js';
import { PACK_BYTES } from '../../job/plan.js';
import { PackReader } from '../../job-store/stored-packs.js';
import { copyWithin, readBytes, type Storage } from '../../storage/storage.js';
import {
  listParts,
  listScored,
  namesIn,
  orScoredAgain,
  removeDamaged,
  type ScoredPart,
} from '../../job-store/batches/scored-parts.js';
import { type Archived, deliverArrays } from '../../job-store/images/arrays.js';
import { packsArrays, predictionEnding, readListed, scoredEnding } from '../../job-store/images/items.js';
import { deliver, removeOthers } from '../../job-store/outputs.js';
import { keepSaid, madeMetadata } from '../../job-store/reuse/made-before.js';
import { writePredictionsPart } from '../../job-store/images/predictions.js';
import { readUnscored } from '../../job-store/batches/settled.js';
import { JobError } from '../../job/failure.js';
import type { OfRun } from '../../job/run.js';
import type { Ports } from '../ports.js';
import type { FrameItem } from '../../job/predictions.js';
import { readResolvedJob, type ResolvedJob } from '../../job-store/resolved-job.js';
import { readTimetable } from '../../job-store/videos/video-timing.js';
import { timeOf, type Timetable } from '../../media/media.js';
import { createStageProgress } from '../../job-store/stage-progress.js';

const TRANSFERS = 32;
/** Of items whose bytes come by here. */
const UNPACKED_AT_ONCE = 8;

export interface CollectInput extends OfRun {
  /** Index of the first item, which is the first of an item list, and how many there are. */
  first: number;
  count: number;
}

export interface CollectedItems {
  /** Of what was stored below the output prefix. */
  bytes: number;
}

/** An item with an output: the part that holds it and where it goes. */
interface Found extends ListedItem {
  index: number;
  part: ScoredPart;
}

/**
 * Brings the outputs of some items to where the job wants them: files are copied to their items' names, arrays go into archives, and what
 * was said of each item goes into one part of the predictions for each item list. Items that the batches have ended without are left out.
 * It fails with the item to blame when any other item's output is gone.
 */
export function createCollectItems({ storage, signal }: Pick<Ports, 'storage' | 'signal'>, archiveBytes?: number) {
  return async ({ jobId, run = 1, first, count }: CollectInput): Promise<CollectedItems> => {
    const job = await readResolvedJob(storage, jobId, run);
    const delivery = deliveryOf(job, 'video' in job ? await readTimetable(storage, jobId) : undefined);
    const unscored = await readUnscored(storage, jobId);
    const progress = createStageProgress(storage, jobId, 'collect');
    await storage.media.getContainerClient(splitPath(delivery.prefix).container).createIfNotExists();
    let bytes = 0;
    for (let from = first; from < first + count; from += LIST_LENGTH) {
      signal?.throwIfAborted();
      const here = Math.min(LIST_LENGTH, first + count - from);
      const range = { first: from, count: here, unscored, report: progress.report, signal, archiveBytes };
      bytes += await collectList(storage, job, delivery, range);
    }
    await progress.settled();
    return { bytes };
  };
}

/** How the results of a job are brought to where they belong. */
interface Delivery {
  /** `container/prefix/` in the media account. */
  prefix: string;
  ending: ScoredFormat;
  /** The blob that holds the results of a part's items, in the work container. */
  blobOf: (part: ScoredPart) => string;
  /** What the line of an item begins with. */
  nameOf: (item: Pick<Found, 'name' | 'index'>) => object;
}

function deliveryOf(job: ResolvedJob, timetable: Timetable | undefined): Delivery {
  const { draw } = job.spec.output;
  const ending = draw ? predictionEnding(job.card) : scoredEnding(job);
  const blobOf = (part: ScoredPart) => (draw ? predictedPart(part, job.pack, ending) : part.blob);
  if (!('video' in job) || !timetable)
    return { prefix: job.output, ending, blobOf, nameOf: ({ name }) => ({ item: name }) };
  const nameOf = ({ index }: Pick<Found, 'index'>): FrameItem => ({ frame: index, time: timeOf(timetable, index) });
  return { prefix: job.predictions ?? job.output, ending, blobOf, nameOf };
}

interface Range {
  first: number;
  count: number;
  /** Indices of the items that the batches have ended without. */
  unscored: Set<number>;
  /** Told how many items of the job are behind. */
  report: (done: number) => void;
  signal: AbortSignal | undefined;
  /** Of the arrays in one archive at most. */
  archiveBytes: number | undefined;
}

/** @returns bytes stored below the output prefix. */
async function collectList(
  storage: Storage,
  job: ResolvedJob,
  delivery: Delivery,
  { first, count, unscored, report, signal, archiveBytes }: Range,
): Promise<number> {
  const [listed, scored] = await Promise.all([
    readListed(storage, job, first, count),
    listScored(storage, job, first, count),
  ]);
  const found = listed.flatMap((item, k): Found[] => {
    const index = first + k;
    const part = scored.present.get(index);
    if (part === undefined && !unscored.has(index)) throw gone(item);
    return part === undefined ? [] : [{ ...item, index, part }];
  });
  const range = { found, report, signal };
  if (delivery.ending === 'json') {
    const said: Said[] = [];
    await writePredictionsPart(storage, job.jobId, first, recordLines(storage, job, delivery, range, said));
    if (!('video' in job)) await keepSaid(storage, job, placeOf(first).list, said);
    return 0;
  }
  if (packsArrays(job)) {
    const place = { jobId: job.jobId, output: delivery.prefix, overwrite: job.spec.output.overwrite };
    const arrays = { first, items: found, most: archiveBytes };
    const { bytes, archived } = await deliverArrays(storage, place, arrays, (items) =>
      readArrays(storage, job, delivery, { ...range, found: items }),
    );
    await writePredictionsPart(storage, job.jobId, first, archiveLines(archived, delivery));
    return bytes;
  }
  if (job.spec.output.overwrite && job.images !== undefined) {
    const without = listed.filter((_, k) => !scored.present.has(first + k));
    const remove = (item: ListedItem) =>
      removeOthers(storage, { jobId: job.jobId, output: `${delivery.prefix}${item.output}.${delivery.ending}` });
    await pMap(without, remove, { concurrency: TRANSFERS });
  }
  const bytes =
    job.pack > 1 ? await unpack(storage, job, delivery, range) : await copyAll(storage, job, delivery, range);
  const { kind = 'image' } = job.card.output;
  if (kind !== 'image') await writePredictionsPart(storage, job.jobId, first, fileLines(found, delivery));
  return bytes;
}

const gone = ({ name }: ListedItem) => new JobError('item', `The output of ${name} has gone from storage.`);

interface Collected extends Pick<Range, 'report' | 'signal'> {
  found: Found[];
}

/** What the model said of an item, and what tells the picture. */
interface Said {
  input: string | undefined;
  line: string;
}

/** What the scorer wrote, one line for each item. @param kept gets what the model said. */
async function* recordLines(
  storage: Storage,
  job: ResolvedJob,
  delivery: Delivery,
  { found, report }: Collected,
  kept: Said[],
): AsyncGenerator<string> {
  for await (const { item, bytes } of readResults(storage, job, delivery, found)) {
    report(item.index + 1);
    const { item: _, input, ...said } = JSON.parse(bytes.toString()) as { item: string; input?: string };
    kept.push({ input, line: JSON.stringify(said) });
    yield `${JSON.stringify({ ...delivery.nameOf(item), ...said })}\n`;
  }
}

/** The arrays of items, in order; reports how far it is. */
async function* readArrays(
  storage: Storage,
  job: ResolvedJob,
  delivery: Delivery,
  { found, report, signal }: Collected,
): AsyncGenerator<Result> {
  for await (const result of readResults(storage, job, delivery, found)) {
    signal?.throwIfAborted();
    yield result;
    report(result.item.index + 1);
  }
}

interface Result {
  item: Found;
  bytes: Buffer;
}

/** The results of items, in order. @throws JobError `item` when one is gone. */
function readResults(
  storage: Storage,
  job: ResolvedJob,
  { blobOf, ending }: Delivery,
  found: Found[],
): AsyncIterable<Result> {
  const work = workOf(storage, job.jobId);
  if (job.pack > 1) return unpacked();
  const read = async (item: Found) => {
    const blob = blobOf(item.part);
    const bytes = await readBytes(work, blob);
    if (bytes === undefined) throw gone(item);
    if (ending === 'json')
      await orScoredAgain(work, item.part.blob, () => checkLine(`${work.containerName}/${blob}`, bytes));
    return { item, bytes };
  };
  const largest = found.reduce((most, { part }) => Math.max(most, part.bytes), 1);
  const concurrency = Math.max(1, Math.min(TRANSFERS, Math.floor(PACK_BYTES / largest)));
  return ending === 'json' ? lines() : files();

  function files(): AsyncIterable<Result> {
    return pMapIterable(found, read, { concurrency, backpressure: 2 * concurrency });
  }

  /** Where one line cannot be read, all that cannot are removed. */
  async function* lines(): AsyncGenerator<Result> {
    try {
      yield* files();
    } catch (error) {
      const readOrRemove = (item: Found) =>
        read(item).catch((other: unknown) => {
          if (!(other instanceof JobError && other.blame === 'item')) throw other;
        });
      if (error instanceof JobError && error.blame === 'item') await pMap(found, readOrRemove, { concurrency });
      throw error;
    }
  }

  async function* unpacked(): AsyncGenerator<Result> {
    const packs = new PackReader(work);
    const packOf = (part: ScoredPart) => ({ blob: blobOf(part), isNamed: namesIn(part, ending) });
    try {
      for (const item of found) {
        const { part, index } = item;
        const bytes = await orScoredAgain(work, part.blob, () => packs.read(packOf(part), memberName(index, ending)));
        yield { item, bytes };
      }
    } catch (error) {
      if (error instanceof JobError && error.blame === 'item')
        await removeDamaged(work, listParts(storage, job.jobId), packOf);
      throw error;
    } finally {
      await packs.close();
    }
  }
}

/** A line that is a file of its own has no check sum. @throws JobError `item` when it is damaged so that nobody can read it. */
function checkLine(blob: string, line: Buffer): void {
  try {
    JSON.parse(line.toString());
  } catch (cause) {
    throw new JobError('item', `${blob} cannot be read: it is no line of JSON.`, { cause });
  }
}

/** Stores members of packs under their items' names. @returns bytes stored. */
async function unpack(
  storage: Storage,
  job: ResolvedJob,
  delivery: Delivery,
  { found, report, signal }: Collected,
): Promise<number> {
  let total = 0;
  const store = async ({ item, bytes }: Result) => {
    signal?.throwIfAborted();
    const { name, ...place } = placeFor(job, delivery, item);
    const headers = { blobHTTPHeaders: { blobContentType: contentTypeOf(name) } };
    await deliver(storage, { ...place, output: name }, (target, options) =>
      again(() => target.upload(bytes, bytes.length, { ...headers, ...options })),
    );
    report(item.index + 1);
    return bytes.length;
  };
  const stored = pMapIterable(readResults(storage, job, delivery, found), store, { concurrency: UNPACKED_AT_ONCE });
  for await (const bytes of stored) total += bytes;
  return total;
}

/** @returns bytes copied. */
async function copyAll(
  storage: Storage,
  job: ResolvedJob,
  delivery: Delivery,
  { found, report, signal }: Collected,
): Promise<number> {
  const copyOne = async (item: Found) => {
    await copy(storage, job, delivery, item);
    report(item.index + 1);
  };
  await pMap(found, copyOne, { concurrency: TRANSFERS, signal });
  return found.reduce((total, { part }) => total + part.bytes, 0);
}

const placeFor = ({ jobId, spec }: ResolvedJob, { prefix, ending }: Delivery, { output }: Found) => ({
  jobId,
  name: `${prefix}${output}.${ending}`,
  overwrite: spec.output.overwrite,
});

function* archiveLines(archived: Archived<Found>[], { nameOf }: Delivery): Generator<string> {
  for (const { item, file, member } of archived) yield `${JSON.stringify({ ...nameOf(item), file, member })}\n`;
}

function* fileLines(found: Found[], { ending, nameOf }: Delivery): Generator<string> {
  for (const item of found) yield `${JSON.stringify({ ...nameOf(item), file: `${item.output}.${ending}` })}\n`;
}

async function copy(storage: Storage, job: ResolvedJob, delivery: Delivery, item: Found): Promise<void> {
  const { bytes } = item.part;
  const source = workOf(storage, job.jobId).getBlockBlobClient(delivery.blobOf(item.part));
  const { name, ...place } = placeFor(job, delivery, item);
  const made = madeMetadata(job, item.part);
  try {
    await deliver(storage, { ...place, output: name }, (target, options) =>
      copyWithin(storage, source, target, { ...options, bytes, metadata: { ...options.metadata, ...made } }),
    );
  } catch (cause) {
    if (await source.exists()) throw cause;
    throw gone(item);
  }
}
