import { createHash } from 'node:crypto';
import { RestError } from '@azure/storage-blob';
import { pMapIterable } from 'p-map';
import { type InputId, readInputId, versionId } from '../../container-contract/input-id.js';
import { again, readWhole } from '../../container-contract/storage-access.js';
import type { ListedItem } from '../../job/items/item-list.js';
import { listBlobs, readText, type Storage } from '../../storage/storage.js';
import type { ScoredPart } from '../batches/scored-parts.js';
import { imagesOf } from '../images/items.js';
import { jobOf, SAID_PREFIX, saidBlob, splitPath } from '../layout.js';
import type { ResolvedJob } from '../resolved-job.js';
import { listMakers, type Maker } from './makers.js';

/** An output that an earlier job has made, and of which bytes. */
export interface Made<At> {
  input: InputId;
  at: At;
}

/** A file that was delivered, and its version. */
export interface MadeFile {
  container: string;
  blob: string;
  etag: string;
  bytes: number;
}

/** A line that was kept. */
export interface MadeLine {
  jobId: string;
  list: number;
  line: number;
}

// Files: each says itself what it was made of, so that one that somebody has replaced says nothing

/** What a delivered file says of itself; nothing where nobody could tell later whether it is still the same. */
export const madeMetadata = ({ making }: ResolvedJob, { input, md5 }: ScoredPart): Record<string, string> =>
  making === undefined || input === undefined || md5 === undefined ? {} : { making, input, md5 };

/** The files in the folder of a job that were made in this way and are as they were delivered. */
async function* listFiles(storage: Storage, making: string, { output }: Maker): AsyncGenerator<Made<MadeFile>> {
  const { container, blob: prefix } = splitPath(output);
  const files = listBlobs(storage.media.getContainerClient(container), { prefix, includeMetadata: true });
  for await (const { name: blob, metadata = {}, properties } of files) {
    const { contentMD5, contentLength: bytes = 0, etag } = properties;
    const input = readInputId(metadata.input);
    const isUntouched = contentMD5 !== undefined && Buffer.from(contentMD5).toString('hex') === metadata.md5;
    if (input && metadata.making === making && isUntouched) yield { input, at: { container, blob, etag, bytes } };
  }
}

// Lines: what the model said is kept beside the job's records

/** Keeps what the model said of the items of one list. @param said each with what tells its item. */
export async function keepSaid(
  storage: Storage,
  { jobId, making }: ResolvedJob,
  list: number,
  said: { input: string | undefined; line: string }[],
): Promise<void> {
  if (making === undefined) return;
  const text = said.flatMap(({ input, line }) => (input === undefined ? [] : [`${input}\t${line}\n`])).join('');
  const blob = jobOf(storage, jobId).getBlockBlobClient(saidBlob(list));
  await again(() => blob.upload(text, Buffer.byteLength(text), { metadata: { making } }));
}

const READS = 8;

async function* listLines(storage: Storage, making: string, { jobId }: Maker): AsyncGenerator<Made<MadeLine>> {
  const job = jobOf(storage, jobId);
  async function* lists() {
    for await (const { name, metadata } of listBlobs(job, { prefix: SAID_PREFIX, includeMetadata: true }))
      if (metadata?.making === making) yield Number(/\d+/.exec(name)?.[0]);
  }
  const read = async (list: number) => ({ list, lines: await readSaid(storage, jobId, list) });
  for await (const { list, lines } of pMapIterable(lists(), read, { concurrency: READS }))
    for (const [line, { input }] of lines.entries()) if (input) yield { input, at: { jobId, list, line } };
}

/** What was kept of one list; nothing when it is gone. */
export async function readSaid(
  storage: Storage,
  jobId: string,
  list: number,
): Promise<{ input: InputId | undefined; line: string }[]> {
  const lines = (await readText(jobOf(storage, jobId), saidBlob(list)))?.split('\n') ?? [];
  return lines
    .filter((text) => text !== '')
    .map((text) => {
      const [input = '', line = ''] = text.split('\t');
      return { input: readInputId(input), line };
    });
}

// All of them

/** More outputs of earlier jobs than these are not remembered, so that they fit into memory: about 0.5 KB each. */
const MOST_REMEMBERED = 1_500_000;

/** What earlier jobs have made, by what it was made of. */
export class MadeBefore<At> {
  readonly #bySum = new Map<string, Made<At>>();
  readonly #byVersion = new Map<string, Made<At>>();
  readonly #sizes = new Set<number>();

  /** The latest comes first and stays. @returns whether there is room for more. */
  add(made: Made<At>): boolean {
    const { sha256, bytes, version } = made.input;
    if (!this.#bySum.has(sha256)) this.#bySum.set(sha256, made);
    if (version !== undefined && !this.#byVersion.has(version)) this.#byVersion.set(version, made);
    this.#sizes.add(bytes);
    return Math.max(this.#bySum.size, this.#byVersion.size) < MOST_REMEMBERED;
  }

  /**
   * What was made of the same bytes, with what tells the picture from now on. A picture of the very version that an earlier job has read is
   * not read for it, and any other only if one of so many bytes was scored.
   */
  async find(
    storage: Storage,
    images: string,
    { name, etag, bytes }: ListedItem,
    signal?: AbortSignal,
  ): Promise<Made<At> | undefined> {
    if (etag === undefined) return undefined;
    const { container, prefix } = imagesOf(storage, images);
    const blob = `${prefix}${name}`;
    const version = versionId(blob, etag);
    const same = this.#byVersion.get(version);
    if (same) return same;
    if (bytes === undefined || !this.#sizes.has(bytes)) return undefined;
    const file = await orNothing(readWhole(container.getBlobClient(blob), { etag, signal }));
    const sha256 = file && createHash('sha256').update(file).digest('hex');
    const made = sha256 === undefined ? undefined : this.#bySum.get(sha256);
    return made && { ...made, input: { ...made.input, version } };
  }
}

/** Of what is gone, or of another version by now, nobody gets anything. */
export async function orNothing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof RestError && GONE.includes(error.statusCode ?? 0)) return undefined;
    throw error;
  }
}

const GONE = [404, 409, 412];

export const findMadeFiles = (storage: Storage, job: ResolvedJob) => remember(storage, job, listFiles);
export const findMadeLines = (storage: Storage, job: ResolvedJob) => remember(storage, job, listLines);

const MOST_JOBS = 4;
/** By job and run: all batches of a job ask for the same. */
const remembered = new WeakMap<Storage, Map<string, Promise<MadeBefore<unknown>>>>();

function remember<At>(
  storage: Storage,
  { jobId, run = 1, making = '' }: ResolvedJob,
  list: (storage: Storage, making: string, maker: Maker) => AsyncGenerator<Made<At>>,
): Promise<MadeBefore<At>> {
  const jobs = remembered.get(storage) ?? new Map<string, Promise<MadeBefore<unknown>>>();
  remembered.set(storage, jobs);
  const key = `${jobId} ${run}`;
  const known = jobs.get(key) as Promise<MadeBefore<At>> | undefined;
  if (known) return known;
  const looking = look();
  jobs.set(key, looking);
  looking.catch(() => jobs.delete(key));
  const [oldest] = jobs.keys();
  if (jobs.size > MOST_JOBS && oldest !== undefined) jobs.delete(oldest);
  return looking;

  async function look(): Promise<MadeBefore<At>> {
    const before = new MadeBefore<At>();
    for (const maker of await listMakers(storage, making)) {
      if (maker.jobId === jobId) continue;
      for await (const made of list(storage, making, maker)) if (!before.add(made)) return before;
    }
    return before;
  }
}
