import type { ContainerClient } from '@azure/storage-blob';
import { JobError } from '../../job/failure.js';
import { formatList, type ListedItem, parseList, placeOf } from '../../job/items/item-list.js';
import type { ScoreTask, TaskItem } from '../../container-contract/task.js';
import { itemName, type ScoredFormat } from '../../container-contract/places.js';
import { itemListBlob, ITEMS, jobOf, splitPath } from '../layout.js';
import { readJson, readText, type Storage, writeJson } from '../../storage/storage.js';
import { givesPictures, type ModelCard } from '../../model-card/schema.js';
import type { ResolvedJob } from '../resolved-job.js';

/** What was found in an image folder. */
export interface FoundItems {
  items: number;
  warnings: string[];
  /** Path of the sound that lies beside frames. */
  sound?: string;
}

/** Keeps one list of at most `LIST_LENGTH` items. */
export async function writeItemList(storage: Storage, jobId: string, list: number, items: ListedItem[]): Promise<void> {
  const text = formatList(items);
  try {
    await jobOf(storage, jobId).getBlockBlobClient(itemListBlob(list)).upload(text, Buffer.byteLength(text));
  } finally {
    const lists = recent.get(storage);
    for (const key of lists?.keys() ?? []) if (key.startsWith(`${jobId} `)) lists?.delete(key);
  }
}

/** Keeps what was found, once all lists are written. */
export const writeFoundItems = (storage: Storage, jobId: string, found: FoundItems) =>
  writeJson(jobOf(storage, jobId), ITEMS, found);

/** Undefined before the folder was listed. */
export const readFoundItems = (storage: Storage, jobId: string) => readJson<FoundItems>(jobOf(storage, jobId), ITEMS);

/** The items `first` to `first + count - 1` of a job, as the scorer gets them. Reads no more lists than they are in. */
export async function readItems(storage: Storage, job: ResolvedJob, first: number, count: number): Promise<TaskItem[]> {
  const { images } = job;
  if (images === undefined)
    return Array.from({ length: count }, (_, k) => ({ name: itemName(first + k), index: first + k }));
  const { prefix } = imagesOf(storage, images);
  const listed = await readListed(storage, job, first, count);
  return listed.map(({ name, etag }, k) => ({
    name,
    index: first + k,
    input: `${prefix}${name}`,
    ...(etag !== undefined && { etag }),
  }));
}

/** The same range as it is delivered: of a folder as it was listed, of a video frames by their numbers. */
export async function readListed(
  storage: Storage,
  job: ResolvedJob,
  first: number,
  count: number,
): Promise<ListedItem[]> {
  if (job.images === undefined) {
    const names = Array.from({ length: count }, (_, k) => itemName(first + k));
    return names.map((name) => ({ name, output: name }));
  }
  const [from, to] = [placeOf(first), placeOf(first + count - 1)];
  const items: ListedItem[] = [];
  for (let list = from.list; list <= to.list; list += 1) items.push(...(await recentList(storage, job, list)));
  return items.slice(from.line, from.line + count);
}

interface RecentList {
  /** When storage was asked for it, on the process's clock. */
  askedAt: number;
  items: Promise<ListedItem[]>;
}

const MOST_RECENT = 4;
const RECENT_MS = 60_000;
/** By job, run and number, what neighbouring batches read one after another; the latest is last. */
const recent = new WeakMap<Storage, Map<string, RecentList>>();

function recentList(storage: Storage, { jobId, run = 1 }: ResolvedJob, list: number): Promise<ListedItem[]> {
  const lists = recent.get(storage) ?? new Map<string, RecentList>();
  recent.set(storage, lists);
  const key = `${jobId} ${run} ${list}`;
  const askedAt = performance.now();
  const known = lists.get(key);
  if (known && askedAt - known.askedAt < RECENT_MS) return known.items;
  const items = readList(storage, jobId, list);
  const asked = { askedAt, items };
  lists.delete(key);
  lists.set(key, asked);
  const [oldest] = lists.keys();
  if (lists.size > MOST_RECENT && oldest !== undefined) lists.delete(oldest);
  items.catch(() => {
    if (lists.get(key) === asked) lists.delete(key);
  });
  return items;
}

/** @throws JobError `user` when somebody removed or damaged it. */
export async function readList(storage: Storage, jobId: string, list: number): Promise<ListedItem[]> {
  const text = await readText(jobOf(storage, jobId), itemListBlob(list));
  const no = (what: string, options?: ErrorOptions) =>
    new JobError('user', `The item list ${list} of job ${jobId} is ${what}; start the job again.`, options);
  if (text === undefined) throw no('gone');
  try {
    return parseList(text);
  } catch (cause) {
    throw no('damaged', { cause });
  }
}

/** Where an image folder is: a container of the media account and the prefix in it, which ends in "/". */
export function imagesOf(storage: Storage, images: string): { container: ContainerClient; prefix: string } {
  const { container, blob } = splitPath(images);
  return { container: storage.media.getContainerClient(container), prefix: blob };
}

/** What a scorer stores for each item. */
export const scoredEnding = ({ card, spec }: ResolvedJob): ScoredFormat =>
  spec.output.draw || givesPictures(card) ? spec.output.frameFormat : predictionEnding(card);

/** Whether the job delivers its arrays in archives, not each as a file of its own. */
export const packsArrays = (job: ResolvedJob): boolean => scoredEnding(job) === 'npy' && job.spec.batch.pack !== 1;

/** What the output of an item is called below the output prefix; undefined where it is no file of its own. */
export const fileOf = (job: ResolvedJob, { output }: ListedItem): string | undefined =>
  scoredEnding(job) === 'json' || packsArrays(job) ? undefined : `${output}.${scoredEnding(job)}`;

/** How a scorer finds the frames, and what it stores for each item. */
export const placesFor = (job: ResolvedJob): Pick<ScoreTask, 'pack' | 'frames' | 'output'> => ({
  pack: job.pack,
  frames: job.spec.output.frameFormat,
  output: {
    ending: scoredEnding(job),
    ...(job.spec.output.draw && { prediction: predictionEnding(job.card) }),
  },
});

/** How what the model says of an item is stored. */
export function predictionEnding({ output }: ModelCard): ScoredFormat {
  if (output.kind === 'mask') return 'png';
  return output.kind === 'tensor' ? 'npy' : 'json';
}
