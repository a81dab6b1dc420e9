import type { BlobItem, ContainerClient } from '@azure/storage-blob';
import { pMapIterable } from 'p-map';
import { hasUnusableCharacters, hasUnusableParts, isTooLong } from '../job/blob-names.js';
import { JobError } from '../job/failure.js';
import { createOutputNames, groupsOf, LIST_LENGTH, type ListedItem } from '../job/item-list.js';
import { isNamedAsPicture, KIND_BYTES, PICTURE_KINDS, pictureKind } from '../job/formats.js';
import { MOST_ITEMS, splitPath } from '../job-store/layout.js';
import { listBlobs, readBytes, type Storage } from '../storage/storage.js';
import {
  type FoundItems,
  imagesOf,
  readFoundItems,
  scoredEnding,
  writeFoundItems,
  writeItemList,
} from '../job-store/items.js';
import type { Ports } from './ports.js';
import { type ImagesJob, readImagesJob } from '../job-store/resolved-job.js';
import { createStageProgress } from '../job-store/stage-progress.js';

/** Files without a picture's name whose first bytes are read at the same time. */
const LOOKS = 16;
const EXAMPLES = 3;
const LONGEST_EXAMPLE = 80;

/**
 * Finds the pictures of an image folder and writes their names as lists of `LIST_LENGTH`, in constant memory. A second run
 * returns what the first one found, even if files have come since.
 */
export function createListImages({ storage, signal }: Pick<Ports, 'storage' | 'signal'>) {
  return async ({ jobId }: { jobId: string }): Promise<FoundItems> => {
    const job = await readImagesJob(storage, jobId);
    const earlier = await readFoundItems(storage, jobId);
    if (earlier) return earlier;
    const progress = createStageProgress(storage, jobId, 'list');
    const others = { count: 0, examples: [] as string[] };
    let items = 0;
    let lists = 0;
    for await (const list of groupsOf(findPictures(storage, job, others), LIST_LENGTH)) {
      signal?.throwIfAborted();
      items = lists * LIST_LENGTH + list.length;
      if (items > MOST_ITEMS)
        throw new JobError('user', `There are more than ${MOST_ITEMS} images below ${job.images}.`);
      await writeItemList(storage, jobId, lists, list);
      lists += 1;
      progress.report(items);
    }
    await progress.settled();
    if (items === 0) throw noPictures(job, others.count);
    const found = { items, warnings: warningsOf(others) };
    await writeFoundItems(storage, jobId, found);
    return found;
  };
}

/** Pictures by name or, where the name does not tell, by content. Counts what is neither. */
async function* findPictures(
  storage: Storage,
  job: ImagesJob,
  others: { count: number; examples: string[] },
): AsyncGenerator<ListedItem> {
  const { container, prefix } = imagesOf(storage, job);
  const nameOutput = createOutputNames();
  const looked = pMapIterable(
    listBlobs(container, { prefix }),
    async ({ name, properties }) => ({ name, is: await isPicture(container, name, properties) }),
    { concurrency: LOOKS, backpressure: 4 * LOOKS },
  );
  for await (const { name: blob, is } of looked) {
    const name = blob.slice(prefix.length);
    if (is) {
      const output = nameOutput(name);
      checkDeliverable(job, name, output);
      yield { name, output };
    } else {
      others.count += 1;
      if (others.examples.length < EXAMPLES) others.examples.push(name.slice(0, LONGEST_EXAMPLE));
    }
  }
}

/** @throws JobError `user` when the output of an image could not be stored under its name. */
function checkDeliverable(job: ImagesJob, name: string, output: string): void {
  const target = splitPath(`${job.output}${output}.${scoredEnding(job)}`).blob;
  if (!isTooLong(target) && !hasUnusableCharacters(target) && !hasUnusableParts(target)) return;
  throw new JobError(
    'user',
    `The image "${name.slice(0, LONGEST_EXAMPLE)}" cannot have its output below ${job.output} under the same name, which is too long for blob storage or has parts that it cannot hold; rename the image.`,
  );
}

async function isPicture(
  container: ContainerClient,
  name: string,
  { contentLength }: BlobItem['properties'],
): Promise<boolean> {
  if (isNamedAsPicture(name)) return true;
  if (contentLength === 0) return false;
  const start = await readBytes(container, name, KIND_BYTES);
  return start !== undefined && pictureKind(start) !== undefined;
}

function noPictures({ images }: ImagesJob, others: number): JobError {
  const found = others === 0 ? 'nothing' : others === 1 ? 'one file of another kind' : `${others} files of other kinds`;
  return new JobError('user', `There is no ${PICTURE_KINDS} below ${images}, but ${found}; name a folder of images.`);
}

function warningsOf({ count, examples }: { count: number; examples: string[] }): string[] {
  if (count === 0) return [];
  const named = `${examples.join(', ')}${count > examples.length ? ', …' : ''}`;
  return [
    `${count === 1 ? '1 file is not an image and is' : `${count} files are not images and are`} left out: ${named}.`,
  ];
}
