import type { OfRun } from '../../job/run.js';
import { isUnusableName } from '../../job/items/blob-names.js';
import { counted, fewWarnings, JobError } from '../../job/failure.js';
import { createOutputNames, groupsOf, LIST_LENGTH, type ListedItem } from '../../job/items/item-list.js';
import { LeftOut } from '../../job/items/left-out.js';
import { itemsThatMayFail } from '../../job/tolerance.js';
import { MOST_ITEMS } from '../../container-contract/places.js';
import { countSize } from '../../job-store/callers/days.js';
import { knowSize } from '../../job-store/inbox/places.js';
import { splitPath } from '../../job-store/layout.js';
import type { Storage } from '../../storage/storage.js';
import { type ListTally, readListedPictures } from '../../job-store/images/listed-pictures.js';
import { findPictures, noPictures } from '../../job-store/images/find-pictures.js';
import {
  type FoundItems,
  packsArrays,
  readFoundItems,
  scoredEnding,
  writeFoundItems,
  writeItemList,
} from '../../job-store/images/items.js';
import type { Ports } from '../ports.js';
import { type ImagesJob, readImagesJob } from '../../job-store/resolved-job.js';
import { createStageProgress } from '../../job-store/stage-progress.js';

const LONGEST_EXAMPLE = 80;

/**
 * Finds the pictures of an image folder and writes their names as lists of `LIST_LENGTH`, in constant memory. A second run
 * returns what the first one found, even if files have come since. A picture that is replaced later is not scored.
 */
export function createListImages({ storage, signal, dailyLimits }: Pick<Ports, 'storage' | 'signal' | 'dailyLimits'>) {
  return async ({ jobId, run = 1 }: OfRun): Promise<FoundItems> => {
    const job = await readImagesJob(storage, jobId, run);
    const earlier = await readFoundItems(storage, jobId);
    if (earlier) return earlier;
    const progress = createStageProgress(storage, jobId, 'list');
    const leftOut = new LeftOut();
    const tally: ListTally = { repeated: 0, missing: 0, examples: [] };
    let items = 0;
    let lists = 0;
    for await (const list of groupsOf(listPictures(storage, job, leftOut, tally), LIST_LENGTH)) {
      signal?.throwIfAborted();
      items = lists * LIST_LENGTH + list.length;
      if (items > MOST_ITEMS)
        throw new JobError('user', `There are more than ${MOST_ITEMS} images below ${job.images}.`);
      await writeItemList(storage, jobId, lists, list);
      lists += 1;
      progress.report(items);
    }
    await progress.settled();
    if (items === 0) throw job.spec.input.list === undefined ? noPictures(job.images, leftOut) : namesNothing();
    checkThere(job, items, tally);
    await countSize(storage, { jobId, run }, { items }, dailyLimits);
    const found = { items, warnings: [...leftOut.warnings(), ...repeatedWarning(tally)] };
    await writeFoundItems(storage, jobId, found);
    await knowSize(storage, jobId, { items });
    return { ...found, warnings: fewWarnings(found.warnings) };
  };
}

const namesNothing = () => new JobError('user', 'The list names no image; leave "input.list" out to score all.');

/**
 * Images that a list names and that are not there fail one by one, as far as the job tolerates that.
 * @throws JobError `user` when it does not, before anything is spent.
 */
function checkThere({ images, spec }: ImagesJob, items: number, { missing, examples }: ListTally): void {
  if (missing <= itemsThatMayFail(spec.tolerate, items)) return;
  const named = `${examples.join(', ')}${missing > examples.length ? ', …' : ''}`.slice(0, 3 * LONGEST_EXAMPLE);
  throw new JobError(
    'user',
    `${missing} of ${counted(items, 'image')} in the list ${missing === 1 ? 'is' : 'are'} not below ${images} (${named}); correct the list, or tolerate them.`,
  );
}

const repeatedWarning = ({ repeated }: ListTally): string[] =>
  repeated === 0
    ? []
    : [
        `${counted(repeated, 'line')} of the list ${repeated === 1 ? 'names an image' : 'name images'} that came before; each is scored once.`,
      ];

/** The pictures and what their outputs are called. */
async function* listPictures(
  storage: Storage,
  job: ImagesJob,
  leftOut: LeftOut,
  tally: ListTally,
): AsyncGenerator<ListedItem> {
  const { list } = job.spec.input;
  if (list !== undefined) {
    for await (const item of readListedPictures(storage, job.images, list, tally)) {
      checkDeliverable(job, item.name, item.output);
      yield item;
    }
    return;
  }
  const nameOutput = createOutputNames();
  for await (const { name, ...version } of findPictures(storage, job.images, leftOut)) {
    const output = nameOutput(name);
    checkDeliverable(job, name, output);
    yield { name, ...version, output };
  }
}

/** @throws JobError `user` when the output of an image could not be stored under its name. */
function checkDeliverable(job: ImagesJob, name: string, output: string): void {
  if (packsArrays(job)) return;
  const target = splitPath(`${job.output}${output}.${scoredEnding(job)}`).blob;
  if (!isUnusableName(target)) return;
  throw new JobError(
    'user',
    `The image "${name.slice(0, LONGEST_EXAMPLE)}" cannot have its output below ${job.output} under the same name, which is too long for blob storage or has parts that it cannot hold; rename the image.`,
  );
}
