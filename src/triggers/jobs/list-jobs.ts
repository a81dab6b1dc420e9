import type { InvocationContext } from '@azure/functions';
import type { BlobItem } from '@azure/storage-blob';
import pMap from 'p-map';
import type { JobList, JobStatus, ListedJob } from '../../api/jobs.js';
import { JobError } from '../../job/failure.js';
import type { PriceTable } from '../../job/estimate/prices.js';
import { inWords, publishedIn } from '../../job/progress.js';
import {
  endEntry,
  endOfManifest,
  type Entry,
  type EntryEnd,
  entryOf,
  findEntries,
  removeEntry,
} from '../../job-store/list/job-list.js';
import { jobOf, listedOf } from '../../job-store/layout.js';
import { readManifest } from '../../job-store/manifest.js';
import { thumbnailUrl } from '../../job-store/list/thumbnail.js';
import type { Storage } from '../../storage/storage.js';
import type { Caller, Callers } from '../callers.js';
import { outsideEnd, type WaitingHere } from '../job-watch.js';
import { findJob, hasEnded } from '../jobs.js';
import { listPageFrom } from './job-files.js';
import { readJobStatus } from './job-status.js';

interface ListPorts {
  storage: Storage;
  prices: PriceTable;
  callers: Pick<Callers, 'known'>;
  waitingHere: (jobId: string) => WaitingHere[];
}

/** `GET /api/jobs?state=&from=&limit=`: the jobs that the caller may see, the newest first. Of those that run it tells how far they are now. */
export const createListJobs = (ports: ListPorts) =>
  ports.callers.known(async ({ query }, context, caller) => {
    const state = stateIn(query.get('state'));
    const limit = limitIn(query.get('limit'));
    const from = positionIn(query.get('from'));
    return { jsonBody: await list(ports, context, { caller, state, limit, from }) };
  });

const STATES: readonly JobStatus['state'][] = ['queued', 'running', 'done', 'failed', 'cancelled'];

function stateIn(text: string | null): JobStatus['state'] | undefined {
  if (text === null || text === '') return undefined;
  const state = STATES.find((each) => each === text);
  if (state) return state;
  throw new JobError('user', `"state" must be ${STATES.slice(0, -1).join(', ')} or ${STATES.at(-1)}.`);
}

const USUAL_LIMIT = 25;
const MOST_LIMIT = 100;

function limitIn(text: string | null): number {
  if (text === null || text === '') return USUAL_LIMIT;
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MOST_LIMIT) return limit;
  throw new JobError('user', `"limit" must be a whole number from 1 to ${MOST_LIMIT}.`);
}

/** A place in the list: a page of storage, and in it the name of the last entry that was looked at. */
interface Position {
  page?: string | undefined;
  after?: string | undefined;
}

const write = ({ page = '', after = '' }: Position) => Buffer.from(JSON.stringify([page, after])).toString('base64url');

function positionIn(text: string | null): Position {
  if (text === null || text === '') return {};
  try {
    const read: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(read)) {
      const [page, after]: unknown[] = read;
      if (typeof page === 'string' && typeof after === 'string') return { page, after };
    }
  } catch {
    // It is refused below.
  }
  throw new JobError('user', '"from" must be what the answer before gave as "next".');
}

interface Wish {
  caller: Caller;
  state: JobStatus['state'] | undefined;
  limit: number;
  from: Position;
}

/** Entries that one listing brings where not all of them are wanted. */
const LISTED_AT_ONCE = 1000;
/** Entries, and jobs that have not ended, that are looked at for one answer. */
const MOST_LISTED = 10_000;
const MOST_LOOKED_AT = 100;
const LOOKS = 8;

async function list(
  ports: ListPorts,
  context: InvocationContext,
  { caller, state, limit, from }: Wish,
): Promise<JobList> {
  const isSeen = ({ owner }: Entry) => caller.sees === 'all' || owner === caller.id;
  const mayBeIn = ({ end }: Entry) => state === undefined || end === undefined || end.state === state;
  const isPicky = state !== undefined || caller.sees === 'own';
  const jobs: ListedJob[] = [];
  const ids = new Set<string>();
  let { page, after = '' } = from;
  let looked = 0;
  for (let listed = 0; ;) {
    const most = isPicky ? LISTED_AT_ONCE : limit + 1;
    const { items, next } = await listPageFrom(listedOf(ports.storage), { prefix: '' }, page, most);
    listed += items.length;
    const left = items.filter(({ name }) => name > after);
    for (let k = 0; k < left.length;) {
      const { some, taken } = cut(left.slice(k), limit - jobs.length, (entry) => isSeen(entry) && mayBeIn(entry));
      looked += some.filter(({ end }) => !end).length;
      const found = await pMap(some, (entry) => look(ports, context, entry), { concurrency: LOOKS });
      for (const job of found) {
        if (!job || (state !== undefined && job.state !== state) || ids.has(job.id)) continue;
        ids.add(job.id);
        jobs.push(job);
      }
      k += taken;
      const last = left[k - 1];
      const isLast = k === left.length && next === undefined;
      if (jobs.length >= limit || looked >= MOST_LOOKED_AT)
        return { jobs, next: isLast ? null : write({ page, after: last?.name }) };
    }
    if (next === undefined) return { jobs, next: null };
    [page, after] = [next, ''];
    if (listed >= MOST_LISTED) return { jobs, next: write({ page }) };
  }
}

/** The first entries that are wanted, and how many items they and those in between are. */
function cut(items: BlobItem[], most: number, isWanted: (entry: Entry) => boolean): { some: Entry[]; taken: number } {
  const some: Entry[] = [];
  let taken = 0;
  for (const item of items) {
    if (some.length === most) break;
    taken += 1;
    const entry = entryOf(item);
    if (entry && isWanted(entry)) some.push(entry);
  }
  return { some, taken };
}

/** Undefined when there is no such job after all. */
async function look(ports: ListPorts, context: InvocationContext, entry: Entry): Promise<ListedJob | undefined> {
  const { storage, prices, waitingHere } = ports;
  if (entry.end) return listedAs(storage, entry, entry.end);
  const { jobId: id, run } = entry;
  const orchestration = await findJob(context, id);
  if (!orchestration) return lookForEnd(storage, entry, Date.now() - entry.acceptedAt);
  const { runtimeStatus, lastUpdatedTime, customStatus } = orchestration;
  const isOver = hasEnded(runtimeStatus);
  const published = publishedIn(customStatus);
  const own = published?.run ?? 1;
  if (isOver && own === run) {
    const ended = await lookForEnd(
      storage,
      entry,
      Date.now() - new Date(lastUpdatedTime).getTime(),
      outsideEnd(orchestration).message,
    );
    if (ended) return ended;
  }
  const status = await readJobStatus(storage, id, orchestration, published, {
    now: Date.now(),
    here: waitingHere(id),
    prices,
  });
  const { state, stage, items, itemsPerSecond, secondsLeft, output, cost } = status;
  return {
    ...sayingOf(entry),
    run: status.run,
    state,
    now: inWordsOf(status) ?? published?.now ?? inWords({ stages: [] }),
    stage,
    items,
    itemsPerSecond,
    secondsLeft,
    output,
    cost,
    endedAt: isOver ? new Date(lastUpdatedTime).toISOString() : null,
  };
}

/** How it has ended, where its orchestration did not come to say so. */
function inWordsOf({ state, error }: JobStatus): string | undefined {
  if (state === 'cancelled') return inWords({ stages: [], cancelled: true });
  return error ? inWords({ stages: [], error }) : undefined;
}

/** A job that is about to start, or whose end is about to be written down, is given so long. */
const PATIENCE_MS = 600_000;

/**
 * Looks for the end of a job that goes on no longer, and writes it into the list: whoever should have done so was killed, or the orchestration
 * was ended or removed from outside. One that never began, or whose records are gone, leaves the list.
 * @param since for how long that may be so, in milliseconds.
 * @param message how its orchestration has ended.
 */
async function lookForEnd(
  storage: Storage,
  entry: Entry,
  since: number,
  message?: string,
): Promise<ListedJob | undefined> {
  const { jobId } = entry;
  const manifest = await readManifest(storage, jobId);
  if (manifest && (manifest.run ?? 1) >= entry.run) return keepEnd(storage, entry, endOfManifest(manifest));
  if (since < PATIENCE_MS) return undefined;
  if (message === undefined && !(await jobOf(storage, jobId).exists())) {
    await removeEntry(storage, entry);
    return undefined;
  }
  const outside = { outcome: 'cancelled', message: message ?? outsideEnd(undefined).message } as const;
  const finishedAt = new Date(Date.now() - since).toISOString();
  return keepEnd(storage, entry, endOfManifest({ ...outside, finishedAt, run: entry.run }));
}

async function keepEnd(storage: Storage, entry: Entry, end: EntryEnd): Promise<ListedJob | undefined> {
  const places = (await findEntries(storage)).get(entry.jobId) ?? [];
  // Of a job that was accepted twice, as its first start was cut off, one place is enough.
  if (places.length > 1) {
    await removeEntry(storage, entry);
    return undefined;
  }
  await endEntry(storage, entry, end);
  return listedAs(storage, entry, end);
}

const sayingOf = ({ jobId, acceptedAt, input, model, compute }: Entry) => ({
  id: jobId,
  input,
  model,
  compute,
  createdAt: new Date(acceptedAt).toISOString(),
  thumbnail: null,
});

const listedAs = async (
  storage: Storage,
  entry: Entry,
  { state, now, stage, items, itemsPerSecond, output, endedAt, thumbnail, cost = null }: EntryEnd,
): Promise<ListedJob> => ({
  ...sayingOf(entry),
  run: entry.run,
  state,
  now,
  stage,
  items,
  itemsPerSecond,
  output,
  endedAt,
  secondsLeft: null,
  cost: cost === null ? null : { soFar: cost, inAll: null },
  thumbnail: thumbnail ? await thumbnailUrl(storage, entry.jobId) : null,
});
