import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { type BlockBlobClient, RestError } from '@azure/storage-blob';
import { again } from '../container-contract/storage-access.js';
import { JobError } from '../job/failure.js';
import { contentTypeOf } from '../job/items/formats.js';
import type { OutputFile } from '../job/manifest.js';
import type { JobSpec } from '../job/spec.js';
import { isNotFound, listBlobs, readJson, type Storage } from '../storage/storage.js';
import { holdBlob, jobOf, keptBlob, mediaBlob, outputsOf, splitPath, workOf } from './layout.js';
import { hasManifest } from './manifest.js';

/** Where a job's result goes and whether it may replace what is there. */
export interface OutputPlace {
  jobId: string;
  /** Path in the media account: a blob, or a prefix that ends in "/". */
  output: string;
  overwrite: boolean;
}

/** Written with everything that a job delivers, so that a second run of the job knows its own. */
const ownMetadata = (jobId: string) => ({ job: jobId });

/** Another job writes there, and may end one day. */
export class OutputTaken extends JobError {}

/** A job without any record of its own has this long to begin. */
const BEGIN_MS = 3_600_000;

/**
 * Keeps a place for the outputs of a job until the job is over: no other job can write there meanwhile. Doing it again changes nothing.
 * @throws JobError `user` when there is something that the job may not replace; `OutputTaken` when a job that is not over writes there.
 */
export async function keepPlace(storage: Storage, place: OutputPlace): Promise<void> {
  const { jobId, output } = place;
  await hold(storage, jobId, output);
  try {
    const other = await overlapping(storage, jobId, output);
    if (other !== undefined) throw new OutputTaken('user', other);
    const there = await existing(storage, place);
    if (there !== undefined) throw new JobError('user', there);
  } catch (error) {
    await freePlace(storage, place);
    throw error;
  }
}

/**
 * Looks whether a job could keep a place, and keeps none.
 * @throws as `keepPlace`.
 */
export async function checkPlace(storage: Storage, place: OutputPlace): Promise<void> {
  const { jobId, output } = place;
  const held = await readHold(storage, output);
  if (held && held.job !== jobId && !(await isOver(storage, held)))
    throw new OutputTaken('user', takenBy(held.job, output));
  const other = await overlapping(storage, jobId, output);
  if (other !== undefined) throw new OutputTaken('user', other);
  const there = await existing(storage, place);
  if (there !== undefined) throw new JobError('user', there);
}

/** The places that a job's specification names, which are kept from before its start. */
export const placesNamed = ({ output: { video, images, predictions } }: JobSpec): string[] =>
  [video, images, predictions].filter((output) => output !== undefined);

/** Gives the place up; one that another job has by now is left alone. */
export async function freePlace(storage: Storage, { jobId, output }: Omit<OutputPlace, 'overwrite'>): Promise<void> {
  const blob = outputsOf(storage).getBlockBlobClient(holdBlob(output));
  if ((await readHold(storage, output))?.job === jobId) await blob.deleteIfExists();
}

interface Hold {
  job: string;
  /** Milliseconds since the epoch. */
  since: number;
}

const readHold = (storage: Storage, output: string) => readJson<Hold>(outputsOf(storage), holdBlob(output));

async function hold(storage: Storage, jobId: string, output: string): Promise<void> {
  const holds = outputsOf(storage);
  const blob = holds.getBlockBlobClient(holdBlob(output));
  const body = JSON.stringify({ job: jobId, since: Date.now() } satisfies Hold);
  const put = (conditions: object) => again(() => blob.upload(body, body.length, { conditions }));
  const write = (conditions: object) =>
    put(conditions).catch(async (error: unknown) => {
      if (!isNotFound(error)) throw error;
      await again(() => holds.createIfNotExists());
      return put(conditions);
    });
  for (;;) {
    if (await unlessConflict(() => write({ ifNoneMatch: '*' }))) return;
    const properties = await blob.getProperties().catch(ignoreNotFound);
    const held = await readHold(storage, output);
    if (!properties || !held) continue;
    if (held.job === jobId) return;
    if (!(await isOver(storage, held))) throw new OutputTaken('user', takenBy(held.job, output));
    if (await unlessConflict(() => write({ ifMatch: properties.etag }))) return;
  }
}

const takenBy = (job: string, output: string) =>
  `Job ${job}, which is not over, writes to ${output}; wait for it, or name another output.`;

/** Whether the job that holds a place will write nothing more. */
async function isOver(storage: Storage, { job, since }: Hold): Promise<boolean> {
  if (await hasManifest(storage, job)) return true;
  return Date.now() - since > BEGIN_MS && !(await jobOf(storage, job).exists());
}

/** What keeps this job from writing: another one's folder around this output, or an output in this folder. */
async function overlapping(storage: Storage, jobId: string, output: string): Promise<string | undefined> {
  const parts = output.split('/').slice(0, -1);
  const folders = parts.map((_, k) => `${parts.slice(0, k + 1).join('/')}/`);
  const held = await Promise.all(folders.map((folder) => readHold(storage, folder)));
  if (output.endsWith('/'))
    for await (const { name } of listBlobs(outputsOf(storage), { prefix: output }))
      held.push(await readJson<Hold>(outputsOf(storage), name));
  for (const each of held)
    if (each && each.job !== jobId && !(await isOver(storage, each))) return takenBy(each.job, output);
  return undefined;
}

/** What is there already that is not this job's own, as a sentence. */
async function existing(storage: Storage, { jobId, output, overwrite }: OutputPlace): Promise<string | undefined> {
  if (overwrite) return undefined;
  const { container, blob } = splitPath(output);
  if (!output.endsWith('/')) {
    const there = await mediaBlob(storage, output).getProperties().catch(ignoreNotFound);
    return there && there.metadata?.job !== jobId ? isThere(output) : undefined;
  }
  const options = { prefix: blob, includeMetadata: true };
  for await (const { name, metadata } of listBlobs(storage.media.getContainerClient(container), options))
    if (metadata?.job !== jobId) return isThere(`${container}/${name}`);
  return undefined;
}

const isThere = (output: string) =>
  `There is ${output} already; name another output, or set "output.overwrite" to true to replace what is there.`;

/**
 * Delivers one blob of a job's output: never over something that is not the job's own, unless the job says so.
 * @param write puts the whole blob there with this metadata, if the conditions hold.
 * @throws JobError `user` when somebody else has written there since the job began: then the blob is kept in the job's work container.
 */
export async function deliver(
  storage: Storage,
  { jobId, output, overwrite }: OutputPlace,
  write: (
    target: BlockBlobClient,
    options: { metadata: Record<string, string>; conditions: object },
  ) => Promise<unknown>,
): Promise<void> {
  const target = mediaBlob(storage, output);
  const metadata = ownMetadata(jobId);
  const attempt = (conditions: object) => unlessConflict(() => write(target, { metadata, conditions }));
  if (await attempt(overwrite ? {} : { ifNoneMatch: '*' })) return;
  // An earlier run of the job may have been here, or this one whose answer was lost.
  const there = await target.getProperties().catch(ignoreNotFound);
  if (there?.metadata?.job === jobId && (await attempt({ ifMatch: there.etag }))) return;
  const now = await target.getProperties().catch(ignoreNotFound);
  if (now?.metadata?.job === jobId) return;
  const work = workOf(storage, jobId);
  const kept = work.getBlockBlobClient(keptBlob(output));
  await write(kept, { metadata, conditions: {} });
  throw new JobError(
    'user',
    `${output} was written by somebody else while the job ran, so it is left as it is; what the job made is ${work.containerName}/${kept.name}.`,
  );
}

/** Removes what another job has put where this one has nothing to put: it would pass for this one's. What no job has put there stays. */
export async function removeOthers(storage: Storage, { jobId, output }: Omit<OutputPlace, 'overwrite'>): Promise<void> {
  const target = mediaBlob(storage, output);
  const there = await target.getProperties().catch(ignoreNotFound);
  if (there?.metadata?.job === undefined || there.metadata.job === jobId) return;
  await unlessConflict(() => target.deleteIfExists({ conditions: { ifMatch: there.etag } }));
}

const BUFFER_BYTES = 4 * 1024 * 1024;

/**
 * Streams one blob of a job's output to its place below the output prefix, as `deliver` does, whole or not at all.
 * @param content is asked for again when the blob has to be written again.
 */
export async function deliverStream(
  storage: Storage,
  place: OutputPlace,
  name: string,
  content: () => AsyncIterable<string | Uint8Array>,
): Promise<OutputFile> {
  let sha256 = '';
  async function* hashed() {
    const hash = createHash('sha256');
    for await (const chunk of content()) {
      hash.update(chunk);
      yield chunk;
    }
    sha256 = hash.digest('hex');
  }
  const output = `${place.output}${name}`;
  const blobHTTPHeaders = { blobContentType: contentTypeOf(name) };
  await deliver(storage, { ...place, output }, async (target, options) => {
    const body = Readable.from(hashed(), { objectMode: false });
    try {
      await target.uploadStream(body, BUFFER_BYTES, 2, { blobHTTPHeaders, ...options });
    } finally {
      // What it is read from may still be open.
      body.destroy();
    }
  });
  const { contentLength: bytes = 0 } = await mediaBlob(storage, output).getProperties();
  return { path: output, bytes, sha256 };
}

/** Whether the write took place: false when the conditions did not hold. */
async function unlessConflict(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (error instanceof RestError && (error.code === 'BlobAlreadyExists' || error.statusCode === 412)) return false;
    throw error;
  }
}

function ignoreNotFound(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}
