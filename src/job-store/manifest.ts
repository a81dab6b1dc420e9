import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { again } from '../container-contract/storage-access.js';
import type { FailedReport, Manifest as Recorded, OutputFile } from '../job/manifest.js';
import type { Cancelled } from '../job/attempts/attempt-end.js';
import type { JobSpec } from '../job/spec.js';
import type { Comparison } from '../media/media.js';
import { isNotFound, listBlobs, readJson, type Storage, writeJson } from '../storage/storage.js';
import {
  DELIVERED_PREFIX,
  FAILED_ITEMS,
  jobOf,
  MANIFEST,
  OUTPUT_FILES,
  PREDICTIONS_CSV,
  PREDICTIONS_JSONL,
  splitPath,
} from './layout.js';
import type { ResolvedJob } from './resolved-job.js';

/** @see manifestSchema in job/manifest.ts */
export interface Manifest extends Omit<Recorded, 'asked' | 'resolved' | 'comparison' | 'cancelled' | 'earlierRuns'> {
  cancelled?: Cancelled;
  earlierRuns?: EarlierRun[];
  asked?: JobSpec | undefined;
  resolved?: ResolvedJob | undefined;
  comparison?: Comparison | undefined;
}

/** A run that has ended, in the manifest of a later one. */
export interface EarlierRun extends Pick<Recorded, 'outcome' | 'message' | 'finishedAt'> {
  run: number;
  totals: object;
  /** Of its manifest, in the container of the job's records. */
  manifest: string;
}

export const writeManifest = (storage: Storage, manifest: Manifest) =>
  writeJson(jobOf(storage, manifest.jobId), MANIFEST, manifest);

/** Undefined while the job goes on. One of an earlier version has its resolved job at its top. */
export const readManifest = (storage: Storage, jobId: string) =>
  readJson<Partial<Manifest> & Pick<Manifest, 'jobId' | 'outcome' | 'message' | 'finishedAt'> & Partial<ResolvedJob>>(
    jobOf(storage, jobId),
    MANIFEST,
  );

/** Whether the job has done all that it ever will. */
export const hasManifest = (storage: Storage, jobId: string) => jobOf(storage, jobId).getBlobClient(MANIFEST).exists();

const BUFFER_BYTES = 4 * 1024 * 1024;

/** Keeps the list of all items without an output, one JSON line each. @param items is called again when the list is written again. */
export const writeFailedItems = (storage: Storage, jobId: string, items: () => AsyncIterable<FailedReport>) =>
  writeLines(storage, jobId, FAILED_ITEMS, items);

/** The frames without an output that are to blame for it themselves, by their indices, of the run that has ended last. */
export async function* readBlamedFrames(storage: Storage, jobId: string): AsyncGenerator<number> {
  const blob = jobOf(storage, jobId).getBlobClient(FAILED_ITEMS);
  const { readableStreamBody } = await again(() => blob.download()).catch((error: unknown) => {
    if (isNotFound(error)) return { readableStreamBody: undefined };
    throw error;
  });
  for await (const line of createInterface({ input: Readable.from(readableStreamBody ?? []) })) {
    const { blame, frame } = JSON.parse(line) as FailedReport;
    if (blame === 'item' && frame !== undefined) yield frame;
  }
}

async function writeLines(
  storage: Storage,
  jobId: string,
  name: string,
  records: () => AsyncIterable<object>,
): Promise<void> {
  const blob = jobOf(storage, jobId).getBlockBlobClient(name);
  async function* lines() {
    for await (const record of records()) yield `${JSON.stringify(record)}\n`;
  }
  const headers = { blobHTTPHeaders: { blobContentType: 'application/x-ndjson' } };
  await again(() => blob.uploadStream(Readable.from(lines(), { objectMode: false }), BUFFER_BYTES, 2, headers));
}

/** Keeps what was delivered, for the manifest. @param by what has delivered it: it does so again under the same name. */
export const writeDelivered = (storage: Storage, jobId: string, by: 'video' | 'tables', files: OutputFile[]) =>
  writeJson(jobOf(storage, jobId), `${DELIVERED_PREFIX}${by}.json`, files);

export async function readDelivered(storage: Storage, job: ResolvedJob): Promise<OutputFile[]> {
  const isVideo = 'video' in job && job.output !== job.predictions;
  const hasTables = !('video' in job) || job.predictions !== undefined;
  const kinds = [...(hasTables ? ['tables'] : []), ...(isVideo ? ['video'] : [])];
  const read = (by: string) => readJson<OutputFile[]>(jobOf(storage, job.jobId), `${DELIVERED_PREFIX}${by}.json`);
  return (await Promise.all(kinds.map(read))).flatMap((files) => files ?? []);
}

interface ListedFile {
  /** Below the folder. */
  name: string;
  bytes: number;
  /** Hexadecimal; absent where storage keeps none. */
  md5?: string;
}

/** Lists the pictures, masks or arrays that a job has put into its folder, page by page. Undefined when there is none. */
export async function listDelivered(
  storage: Storage,
  jobId: string,
  folder: string,
): Promise<Recorded['outputs']['folder']> {
  const sum = { files: 0, bytes: 0 };
  const first = await filesIn(storage, jobId, folder).next();
  if (first.done) return undefined;
  await writeLines(storage, jobId, OUTPUT_FILES, async function* () {
    sum.files = 0;
    sum.bytes = 0;
    for await (const file of filesIn(storage, jobId, folder)) {
      sum.files += 1;
      sum.bytes += file.bytes;
      yield file;
    }
  });
  return { path: folder, ...sum, list: OUTPUT_FILES };
}

async function* filesIn(storage: Storage, jobId: string, folder: string): AsyncGenerator<ListedFile> {
  const { container, blob: prefix } = splitPath(folder);
  const blobs = listBlobs(storage.media.getContainerClient(container), { prefix, includeMetadata: true });
  for await (const { name: blob, metadata, properties } of blobs) {
    const name = blob.slice(prefix.length);
    if (metadata?.job !== jobId || name === PREDICTIONS_CSV || name === PREDICTIONS_JSONL) continue;
    const { contentLength: bytes = 0, contentMD5 } = properties;
    yield { name, bytes, ...(contentMD5 && { md5: Buffer.from(contentMD5).toString('hex') }) };
  }
}
