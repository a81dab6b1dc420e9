import type { BlobClient } from '@azure/storage-blob';
import type { Picture, PictureList, StoredPicture } from '../../api/jobs.js';
import { framesBlob, memberName, type Partly, presentIn } from '../../container-contract/places.js';
import { JobError } from '../../job/failure.js';
import { batchAt, type BatchPlan } from '../../job/plan.js';
import { publishedIn } from '../../job/progress.js';
import { listScored, type ScoredPart } from '../../job-store/batches/scored-parts.js';
import { imagesOf, readListed, scoredEnding } from '../../job-store/images/items.js';
import { workOf } from '../../job-store/layout.js';
import { type JobNow, readNow } from '../../job-store/now.js';
import { findResolvedJob, readResolvedJob, type ResolvedJob } from '../../job-store/resolved-job.js';
import { isNotFound, type Storage } from '../../storage/storage.js';
import { answerErrors } from '../http.js';
import { findKept } from '../jobs.js';
import { readableUrl } from './job-files.js';

const MOST_PICTURES = 24;

/**
 * `GET /api/jobs/{id}/pictures?newest=` or `?at=`: what was made of some items, and what it was made of, each as it is stored. None of those
 * that are not scored, or whose files are removed.
 */
export const createListPictures = ({ storage }: { storage: Storage }) =>
  answerErrors(async (request, context) => {
    const { id = '' } = request.params;
    const asked = readAsked(request.query.get('newest'), request.query.get('at'));
    const status = await findKept(storage, context, id);
    if (!('runtimeStatus' in status)) return status;
    const { plan, run = 1 } = publishedIn(status.customStatus) ?? {};
    const job = plan && (await findResolvedJob(storage, id)) && (await readResolvedJob(storage, id, run));
    if (!job) return { jsonBody: NONE };
    const found = 'at' in asked ? await findAt(storage, job, asked.at) : await findNewest(storage, job, plan, asked);
    const pictures = await Promise.all(found.map(({ item, part }) => pictureOf(storage, job, item, part)));
    return { jsonBody: { pictures } satisfies PictureList };
  });

const NONE: PictureList = { pictures: [] };

type Asked = { newest: number } | { at: number[] };

/** @throws JobError `user` when neither or both are named, or one is no such number. */
function readAsked(newest: string | null, at: string | null): Asked {
  const list = at?.split(',') ?? [];
  const isNumber = (text: string) => /^\d{1,9}$/.test(text);
  if (at === null && newest !== null && isNumber(newest) && Number(newest) >= 1 && Number(newest) <= MOST_PICTURES)
    return { newest: Number(newest) };
  if (newest === null && list.length >= 1 && list.length <= MOST_PICTURES && list.every(isNumber))
    return { at: [...new Set(list.map(Number))] };
  throw new JobError(
    'user',
    `Ask for "newest", a number from 1 to ${MOST_PICTURES}, or for "at", at most ${MOST_PICTURES} numbers of items from 0 with commas in between.`,
  );
}

interface Found {
  item: number;
  /** Absent where the output of a folder's image has left the work container, or there is none. */
  part?: ScoredPart;
}

async function findAt(storage: Storage, job: ResolvedJob, items: number[]): Promise<Found[]> {
  const find = async (item: number): Promise<Found[]> => {
    const part = (await listScored(storage, job, item, 1)).present.get(item);
    if (part) return [{ item, part }];
    return !('video' in job) && (await readListed(storage, job, item, 1)).length > 0 ? [{ item }] : [];
  };
  return (await Promise.all(items.map(find))).flat();
}

/** Of the batches of which something was heard last, the last item of each; then, if there are too few, of the parts before. */
async function findNewest(
  storage: Storage,
  job: ResolvedJob,
  plan: BatchPlan,
  { newest }: { newest: number },
): Promise<Found[]> {
  const batches = newestBatches(await readNow(storage, job.jobId), plan).slice(0, newest);
  const queues = await Promise.all(
    batches.map(async ({ first, count }) => {
      const { present } = await listScored(storage, job, first, count);
      const isIn = (item: number) => item >= first && item < first + count;
      const parts = [...new Set(present.values())].toSorted((one, other) => other.last - one.last);
      return parts.flatMap((part) => {
        const item = lastIn(part, isIn);
        return item === undefined ? [] : [{ item, part }];
      });
    }),
  );
  const found: Found[] = [];
  for (let round = 0; found.length < newest && queues.some((queue) => queue.length > round); round += 1)
    found.push(...queues.flatMap((queue) => queue[round] ?? []));
  return found.slice(0, newest);
}

const lastIn = (part: Partly, isIn: (item: number) => boolean) => [...presentIn(part)].findLast(isIn);

function newestBatches({ settled, reports, changed }: JobNow, plan: BatchPlan): { first: number; count: number }[] {
  const withOutput = [...settled, ...reports].filter(({ done }) => done > 0).map(({ batch }) => batch);
  return [...new Set(withOutput)]
    .toSorted((one, other) => (changed.get(other) ?? 0) - (changed.get(one) ?? 0) || other - one)
    .flatMap((batch) => batchAt(plan, batch) ?? []);
}

async function pictureOf(
  storage: Storage,
  job: ResolvedJob,
  item: number,
  part: ScoredPart | undefined,
): Promise<Picture> {
  const [listed] = await readListed(storage, job, item, 1);
  const { name = '', output = '' } = listed ?? {};
  const [scored, source] = await Promise.all([
    part ? inPart(storage, job, item, part) : delivered(storage, job, output),
    sourceOf(storage, job, item, name),
  ]);
  return { item, name, scored, source };
}

async function inPart(storage: Storage, job: ResolvedJob, item: number, part: ScoredPart): Promise<StoredPicture> {
  const format = scoredEnding(job);
  const member = part.blob.endsWith('.zip') ? memberName(item, format) : null;
  return { url: await readableUrl(storage, workOf(storage, job.jobId), part.blob), member, format, bytes: part.bytes };
}

function delivered(storage: Storage, job: ResolvedJob, output: string): Promise<StoredPicture | null> {
  const format = scoredEnding(job);
  const { container, prefix } = imagesOf(storage, job.output);
  return stored(storage, container.getBlobClient(`${prefix}${output}.${format}`), { member: null, format });
}

async function sourceOf(storage: Storage, job: ResolvedJob, item: number, name: string): Promise<StoredPicture | null> {
  if (job.images !== undefined) {
    const { container, prefix } = imagesOf(storage, job.images);
    const format = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
    return stored(storage, container.getBlobClient(`${prefix}${name}`), { member: null, format });
  }
  const { frameFormat: format } = job.spec.output;
  const blob = workOf(storage, job.jobId).getBlobClient(framesBlob(item, job.pack, format));
  return stored(storage, blob, { member: job.pack > 1 ? memberName(item, format) : null, format });
}

/** Null when there is no such file. */
async function stored(
  storage: Storage,
  blob: BlobClient,
  what: Pick<StoredPicture, 'member' | 'format'>,
): Promise<StoredPicture | null> {
  try {
    const { contentLength: bytes = 0 } = await blob.getProperties();
    return {
      url: await readableUrl(storage, storage.media.getContainerClient(blob.containerName), blob.name),
      ...what,
      bytes,
    };
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}
