import { type BlobItem, RestError } from '@azure/storage-blob';
import { again } from '../../container-contract/storage-access.js';
import { hideSecrets } from '../../job/failure.js';
import { type Pace, paceOf } from '../../job/estimate/estimate.js';
import type { AttemptReport } from '../../job/manifest.js';
import { inWords, type ItemCounts, round, type Stage } from '../../job/progress.js';
import { isNotFound, listBlobs, type Storage } from '../../storage/storage.js';
import { listedBlob, listedOf, parseListedBlob } from '../layout.js';
import type { Manifest } from '../manifest.js';
import type { ResolvedJob } from '../resolved-job.js';

/** A job in the list of all jobs: one empty blob, whose name puts it in its place and whose metadata say the rest. */
export interface Entry {
  jobId: string;
  /** When its first run was accepted, in milliseconds since the epoch: its place in the list. */
  acceptedAt: number;
  /** Its latest run. */
  run: number;
  /** Id of the caller whose it is; absent of the deployment's own jobs, and where nobody keeps callers apart. */
  owner?: string | undefined;
  input: string;
  model: string;
  compute: string;
  /** How the latest run has ended; absent while it goes on. */
  end?: EntryEnd | undefined;
}

export interface EntryEnd {
  state: Manifest['outcome'];
  /** In words. */
  now: string;
  stage: Stage | null;
  items: ItemCounts;
  /** While it scored. */
  itemsPerSecond: number | null;
  output: string | null;
  /** What its containers have cost, in USD; null where no price is known, absent where nobody counted. */
  cost?: number | null | undefined;
  /** ISO 8601. */
  endedAt: string;
  /** Whether a small picture of what it has made was kept; absent: none. */
  thumbnail?: true | undefined;
  /** What a job like it may take. */
  pace?: Pace | undefined;
}

/** How a job has ended, as its manifest says. Of one of an earlier version the manifest may say less. */
export function endOfManifest(
  manifest: Partial<Manifest> & Pick<Manifest, 'outcome' | 'message' | 'finishedAt'>,
): EntryEnd {
  const {
    outcome: state,
    message,
    finishedAt,
    run = 1,
    items = 0,
    totals,
    batches = [],
    cancelled,
    resolved,
  } = manifest;
  const { done = 0, failed = 0, givenUp = 0, reused } = totals ?? {};
  const attempts = batches.flatMap((batch) => batch.attempts);
  const scored = attempts.reduce((sum, attempt) => sum + attempt.scored, 0);
  const seconds = secondsOf(attempts);
  return {
    state,
    now: inWords({
      run,
      stages: [{ stage: 'finish', startedAt: finishedAt, seconds: 0 }],
      items,
      ...(state === 'failed' && { error: { kind: manifest.blame ?? 'user', message: hideSecrets(message) } }),
      ...(state === 'cancelled' && { cancelled: true, ...(cancelled && { cancelledBy: cancelled }) }),
      ...(reused !== undefined && { reused }),
    }),
    stage: 'finish',
    items: { total: items, done, failed: failed + givenUp, ...(reused !== undefined && { reused }) },
    itemsPerSecond: seconds > 0 && scored > 0 ? round(scored / seconds, 2) : null,
    output: state === 'done' ? (resolved?.output ?? null) : null,
    ...(manifest.cost !== undefined && { cost: manifest.cost?.usd ?? null }),
    endedAt: finishedAt,
    ...(manifest.thumbnail === true && { thumbnail: true }),
    ...(state === 'done' &&
      run === 1 &&
      reused === undefined &&
      resolved && { pace: paceIn(attempts, { finishedAt, items, resolved }) }),
  };
}

function paceIn(
  attempts: AttemptReport[],
  { finishedAt, items, resolved }: { finishedAt: string; items: number; resolved: ResolvedJob },
): Pace | undefined {
  const pixels = 'video' in resolved ? resolved.video.width * resolved.video.height : undefined;
  return paceOf(attempts, { seconds: (Date.parse(finishedAt) - Date.parse(resolved.createdAt)) / 1000, items, pixels });
}

/** From the first launch to the last end. */
function secondsOf(attempts: AttemptReport[]): number {
  let [from, to] = [Infinity, -Infinity];
  for (const { phases } of attempts) {
    from = Math.min(from, Date.parse(phases?.launched ?? '') || Infinity);
    to = Math.max(to, Date.parse(phases?.endedAt ?? '') || -Infinity);
  }
  return to > from ? (to - from) / 1000 : 0;
}

/** Which entry it is. */
export type EntryKey = Pick<Entry, 'jobId' | 'acceptedAt'>;

const METADATA = 'entry';

/** Metadata hold 8 KB of ASCII. */
const write = ({ run, owner, input, model, compute, end }: Entry): Record<string, string> => ({
  [METADATA]: Buffer.from(JSON.stringify({ run, owner, input, model, compute, end })).toString('base64'),
});

/** Undefined for what no app has written. */
function readEntry(name: string, metadata: Record<string, string> = {}): Entry | undefined {
  const key = parseListedBlob(name);
  const said = metadata[METADATA];
  if (!key || said === undefined) return undefined;
  return { ...key, ...(JSON.parse(Buffer.from(said, 'base64').toString()) as Omit<Entry, keyof EntryKey>) };
}

const blobOf = (storage: Storage, { jobId, acceptedAt }: EntryKey) =>
  listedOf(storage).getBlockBlobClient(listedBlob(acceptedAt, jobId));

/** Lists a job that is about to start for the first time, unless it is listed. */
export async function enterJob(storage: Storage, entry: Entry): Promise<void> {
  await put(storage, entry, undefined);
}

const TRIES = 10;

/**
 * Changes what the list says of a job.
 * @param next gets the entry, if there is one; undefined, or the same entry, leaves things as they are. It may be called several times.
 */
export async function changeEntry(
  storage: Storage,
  key: EntryKey,
  next: (before: Entry | undefined) => Entry | undefined,
): Promise<void> {
  for (let tries = 1; tries <= TRIES; tries += 1) {
    const { entry, etag } = await find(storage, key);
    const after = next(entry);
    if (after === undefined || after === entry || (await put(storage, after, etag))) return;
  }
}

/**
 * Says how a run of a job has ended, unless a later one has begun.
 * @param listed what is said of a job that is not listed; undefined: nothing.
 */
export const endEntry = (
  storage: Storage,
  { run, ...key }: EntryKey & Pick<Entry, 'run'>,
  end: EntryEnd,
  listed?: Pick<Entry, 'input' | 'model' | 'compute'>,
): Promise<void> =>
  changeEntry(storage, key, (before = listed && { ...key, run, ...listed }) =>
    before === undefined || before.run > run ? undefined : { ...before, run, end },
  );

/** What the list says of a job; undefined when it is not there. */
export const findEntry = async (storage: Storage, key: EntryKey): Promise<Entry | undefined> =>
  (await find(storage, key)).entry;

/** Whether a job is listed: each is, from before its start until its records are removed. */
export const isListed = (storage: Storage, key: EntryKey): Promise<boolean> => blobOf(storage, key).exists();

export async function removeEntry(storage: Storage, key: EntryKey): Promise<void> {
  await blobOf(storage, key)
    .deleteIfExists()
    .catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
}

/** Where jobs are in the list, for whoever knows no more than their ids: it goes through the whole list, five thousand at a time. */
export async function findEntries(storage: Storage): Promise<Map<string, EntryKey[]>> {
  const found = new Map<string, EntryKey[]>();
  for await (const { name } of listBlobs(listedOf(storage), { prefix: '' })) {
    const key = parseListedBlob(name);
    if (key) found.set(key.jobId, [...(found.get(key.jobId) ?? []), key]);
  }
  return found;
}

/** When the job was accepted, according to the list. */
export const findAccepted = async (storage: Storage, jobId: string): Promise<number | undefined> =>
  (await findEntries(storage)).get(jobId)?.[0]?.acceptedAt;

export const entryOf = ({ name, metadata }: BlobItem): Entry | undefined => readEntry(name, metadata);

async function find(
  storage: Storage,
  key: EntryKey,
): Promise<{ entry?: Entry | undefined; etag?: string | undefined }> {
  try {
    const { etag, metadata } = await blobOf(storage, key).getProperties();
    return { entry: readEntry(listedBlob(key.acceptedAt, key.jobId), metadata), etag };
  } catch (error) {
    if (isNotFound(error)) return {};
    throw error;
  }
}

const CONFLICTS = [409, 412];

/**
 * @param etag of the version that it replaces; undefined: there is none.
 * @returns false when somebody else has written it meanwhile.
 */
async function put(storage: Storage, entry: Entry, etag: string | undefined): Promise<boolean> {
  const conditions = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag };
  const upload = () => again(() => blobOf(storage, entry).upload('', 0, { conditions, metadata: write(entry) }));
  try {
    await upload().catch(async (error: unknown) => {
      if (!isNotFound(error)) throw error;
      await listedOf(storage).createIfNotExists();
      await upload();
    });
    return true;
  } catch (error) {
    if (error instanceof RestError && CONFLICTS.includes(error.statusCode ?? 0)) return false;
    throw error;
  }
}
