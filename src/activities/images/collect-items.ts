import pMap, { pMapIterable } from 'p-map';
import { type ListedItem, LIST_LENGTH } from '../../job/item-list.js';
import { predictedBlob, scoredBlob, type ScoredFormat, splitPath, workOf } from '../../job-store/layout.js';
import { copyWithin, readText, type Storage } from '../../storage/storage.js';
import { listScored } from '../../job-store/batches/batch-state.js';
import { predictionEnding, readListed, scoredEnding } from '../../job-store/images/items.js';
import { deliver } from '../../job-store/outputs.js';
import { writePredictionsPart } from '../../job-store/images/predictions.js';
import { readUnscored } from '../../job-store/batches/settled.js';
import { JobError } from '../../job/failure.js';
import type { Ports } from '../ports.js';
import type { FrameItem } from '../../job/predictions.js';
import { readResolvedJob, type ResolvedJob } from '../../job-store/resolved-job.js';
import { readTimetable } from '../../job-store/videos/video-timing.js';
import { timeOf, type Timetable } from '../../media/media.js';
import { createStageProgress } from '../../job-store/stage-progress.js';

const TRANSFERS = 32;

export interface CollectInput {
  jobId: string;
  /** Index of the first item, which is the first of an item list, and how many there are. */
  first: number;
  count: number;
}

export interface CollectedItems {
  /** Of what was stored below the output prefix. */
  bytes: number;
}

/** An item with an output: where it was scored to and where it goes. */
interface Found extends ListedItem {
  index: number;
  bytes: number;
}

/**
 * Brings the outputs of some items to where the job wants them: files are copied to their items' names, and what was said
 * of each item goes into one part of the predictions for each item list. Items that the batches have ended without are left out.
 * It fails with the item to blame when any other item's output is gone.
 */
export function createCollectItems({ storage, signal }: Pick<Ports, 'storage' | 'signal'>) {
  return async ({ jobId, first, count }: CollectInput): Promise<CollectedItems> => {
    const job = await readResolvedJob(storage, jobId);
    const delivery = deliveryOf(job, 'video' in job ? await readTimetable(storage, jobId) : undefined);
    const unscored = await readUnscored(storage, jobId);
    const progress = createStageProgress(storage, jobId, 'collect');
    await storage.media.getContainerClient(splitPath(delivery.prefix).container).createIfNotExists();
    let bytes = 0;
    for (let from = first; from < first + count; from += LIST_LENGTH) {
      signal?.throwIfAborted();
      const here = Math.min(LIST_LENGTH, first + count - from);
      const range = { first: from, count: here, unscored, report: progress.report, signal };
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
  /** Where a scorer stored the result of an item, in the work container. */
  blobOf: (index: number) => string;
  /** What the line of an item begins with. */
  nameOf: (item: Pick<Found, 'name' | 'index'>) => object;
}

function deliveryOf(job: ResolvedJob, timetable: Timetable | undefined): Delivery {
  const { draw } = job.spec.output;
  const ending = draw ? predictionEnding(job.card) : scoredEnding(job);
  const blobOf = (index: number) => (draw ? predictedBlob : scoredBlob)(index, ending);
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
}

/** @returns bytes copied. */
async function collectList(
  storage: Storage,
  job: ResolvedJob,
  delivery: Delivery,
  { first, count, unscored, report, signal }: Range,
): Promise<number> {
  const [listed, scored] = await Promise.all([
    readListed(storage, job, first, count),
    listScored(storage, job.jobId, first, count),
  ]);
  const found = listed.flatMap((item, k): Found[] => {
    const index = first + k;
    const bytes = scored.get(index);
    if (bytes === undefined && !unscored.has(index)) throw gone(item);
    return bytes === undefined ? [] : [{ ...item, index, bytes }];
  });
  if (delivery.ending === 'json') {
    await writePredictionsPart(storage, job.jobId, first, recordLines(storage, job, delivery, { found, report }));
    return 0;
  }
  const copyOne = async (item: Found) => {
    await copy(storage, job, delivery, item);
    report(item.index + 1);
  };
  await pMap(found, copyOne, { concurrency: TRANSFERS, signal });
  const { kind = 'image' } = job.card.output;
  if (kind !== 'image') await writePredictionsPart(storage, job.jobId, first, fileLines(found, delivery));
  return found.reduce((total, { bytes }) => total + bytes, 0);
}

const gone = ({ name }: ListedItem) => new JobError('item', `The output of ${name} has gone from storage.`);

/** What the scorer wrote, one line for each item. */
async function* recordLines(
  storage: Storage,
  { jobId }: ResolvedJob,
  { blobOf, nameOf }: Delivery,
  { found, report }: { found: Found[]; report: Range['report'] },
): AsyncGenerator<string> {
  const work = workOf(storage, jobId);
  const read = async (item: Found) => {
    report(item.index + 1);
    const line = await readText(work, blobOf(item.index));
    if (line === undefined) throw gone(item);
    const { item: _, ...said } = JSON.parse(line) as { item: string };
    return `${JSON.stringify({ ...nameOf(item), ...said })}\n`;
  };
  yield* pMapIterable(found, read, { concurrency: TRANSFERS, backpressure: 2 * TRANSFERS });
}

function* fileLines(found: Found[], { ending, nameOf }: Delivery): Generator<string> {
  for (const item of found) yield `${JSON.stringify({ ...nameOf(item), file: `${item.output}.${ending}` })}\n`;
}

async function copy(
  storage: Storage,
  { jobId, spec }: ResolvedJob,
  { prefix, ending, blobOf }: Delivery,
  item: Found,
): Promise<void> {
  const { index, output, bytes } = item;
  const source = workOf(storage, jobId).getBlockBlobClient(blobOf(index));
  const place = { jobId, output: `${prefix}${output}.${ending}`, overwrite: spec.output.overwrite };
  try {
    await deliver(storage, place, (target, options) => copyWithin(storage, source, target, { ...options, bytes }));
  } catch (cause) {
    if (await source.exists()) throw cause;
    throw gone(item);
  }
}
