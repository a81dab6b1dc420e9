import type { HttpResponseInit, InvocationContext } from '@azure/functions';
import { type BlobClient, type BlobItem, type ContainerClient, RestError } from '@azure/storage-blob';
import type { FileAnswer, FileList } from '../../api/jobs.js';
import { JobError } from '../../job/failure.js';
import { hasUnusableCharacters } from '../../job/items/blob-names.js';
import { isJobId } from '../../job/spec.js';
import {
  CONTACT_SHEET,
  FAILED_ITEMS,
  jobOf,
  MANIFEST,
  mediaBlob,
  OUTPUT_FILES,
  PREDICTIONS_CSV,
  PREDICTIONS_JSONL,
  splitPath,
} from '../../job-store/layout.js';
import { readResolvedJob } from '../../job-store/resolved-job.js';
import { blobSas, isNotFound, listPage, type Storage } from '../../storage/storage.js';
import { answerErrors, refuse } from '../http.js';
import { findKept } from '../jobs.js';

const READABLE_MS = 3_600_000;

/**
 * `GET /api/jobs/{id}/files/{file}`: redirects to storage for `output`, `contact-sheet`, `manifest`, `failed-items`, `output-files`, `predictions`,
 * `predictions-csv` or `source`, readable for an hour. To a request that accepts JSON it says where the file is: a browser follows no redirect to another origin
 * with a header of its own.
 */
export const createGetFile = ({ storage }: { storage: Storage }) =>
  answerErrors(async (request, context) => {
    const { id = '', file = '' } = request.params;
    const refusal = await refuseWithoutRecords(storage, context, id);
    if (refusal) return refusal;
    const blob = await findFile(storage, id, file);
    const properties = blob && (await propertiesOf(blob));
    if (!blob || !properties)
      return refuse(
        404,
        `Job "${id}" has no file "${file}"; once it has ended there are manifest and failed-items, of a video that was made output and contact-sheet, too, and of images and predictions the list at /files.`,
      );
    const url = await blobSas(storage, blob, 'r', Date.now() + READABLE_MS);
    const headers = { Vary: 'Accept' };
    if (!/\bapplication\/json\b/i.test(request.headers.get('accept') ?? ''))
      return { status: 302, headers: { ...headers, Location: url } };
    const { contentLength: bytes = 0, contentType: type = '' } = properties;
    return { headers, jsonBody: { url, bytes, type } satisfies FileAnswer };
  });

/** The answer where there are no records that tell of files; undefined where there are, even if nothing else knows the job any more. */
async function refuseWithoutRecords(
  storage: Storage,
  context: InvocationContext,
  id: string,
): Promise<HttpResponseInit | undefined> {
  if (isJobId(id) && (await jobOf(storage, id).exists())) return undefined;
  const status = await findKept(storage, context, id);
  return 'runtimeStatus' in status ? refuse(404, `Job "${id}" has no files so far.`) : status;
}

/** Undefined when there is no such blob. */
async function propertiesOf(blob: BlobClient) {
  try {
    return await blob.getProperties();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** By their names in the interface. */
const RECORDS = new Map([
  ['manifest', MANIFEST],
  ['failed-items', FAILED_ITEMS],
  ['output-files', OUTPUT_FILES],
  ['contact-sheet', CONTACT_SHEET],
]);

const TABLES = new Map([
  ['predictions', PREDICTIONS_JSONL],
  ['predictions-csv', PREDICTIONS_CSV],
]);

async function findFile(storage: Storage, id: string, file: string) {
  const record = RECORDS.get(file);
  if (record !== undefined) return jobOf(storage, id).getBlobClient(record);
  const table = TABLES.get(file);
  if (file !== 'output' && file !== 'source' && table === undefined) return undefined;
  const resolved = await readResolvedJob(storage, id);
  const prefix = 'video' in resolved ? resolved.predictions : resolved.output;
  const path =
    table === undefined
      ? file === 'output'
        ? resolved.output
        : resolved.spec.input.video
      : prefix && `${prefix}${table}`;
  return path === undefined ? undefined : mediaBlob(storage, path);
}

const FILES_AT_ONCE = 1000;

/** `GET /api/jobs/{id}/files?from=`: what became of an image folder, or the predictions of a video, at most a thousand files at a time. */
export const createListFiles = ({ storage }: { storage: Storage }) =>
  answerErrors(async (request, context) => {
    const { id = '' } = request.params;
    const refusal = await refuseWithoutRecords(storage, context, id);
    if (refusal) return refusal;
    const job = await readResolvedJob(storage, id);
    const prefix = 'video' in job ? job.predictions : job.output;
    if (prefix === undefined) return refuse(404, `Job "${id}" is a video's: its one file is at /files/output.`);
    return { jsonBody: await listFiles(storage, id, prefix, request.query.get('from') ?? '') };
  });

/** Where a job may write over what is there, its folder also has what others have put there. */
async function listFiles(storage: Storage, id: string, output: string, from: string): Promise<FileList> {
  const { container: name, blob: prefix } = splitPath(output);
  const container = storage.media.getContainerClient(name);
  const { items, next } = await listThousand(container, prefix, from);
  const files = items
    .filter(({ metadata }) => metadata?.job === id)
    .map(async (blob) => ({
      name: blob.name.slice(prefix.length),
      bytes: blob.properties.contentLength ?? 0,
      url: await readableUrl(storage, container, blob.name),
    }));
  return { files: await Promise.all(files), next };
}

/** @throws JobError `user` when `from` is not what an answer gave as `next`. */
export async function listThousand(
  container: ContainerClient,
  prefix: string,
  from: string,
): Promise<{ items: BlobItem[]; next: string | null }> {
  const { items, next } = await listPageFrom(container, { prefix }, from, FILES_AT_ONCE);
  return { items, next: next ?? null };
}

/**
 * A page of blobs with their metadata.
 * @param from '' or undefined: the first one.
 * @throws JobError `user` when `from` is not what an answer gave as `next`.
 */
export async function listPageFrom(
  container: ContainerClient,
  { prefix }: { prefix: string },
  from: string | undefined,
  most: number,
): Promise<{ items: BlobItem[]; next: string | undefined }> {
  const notOurs = (options?: ErrorOptions) =>
    new JobError('user', '"from" must be what the answer before gave as "next".', options);
  // Storage would give them back in XML, which cannot hold them.
  if (hasUnusableCharacters(from ?? '')) throw notOurs();
  const options = { prefix, includeMetadata: true };
  return listPage(container, options, from === '' ? undefined : from, most).catch((cause: unknown) => {
    if (!(cause instanceof RestError && cause.statusCode === 400)) throw cause;
    throw notOurs({ cause });
  });
}

export const readableUrl = (storage: Storage, container: ContainerClient, blob: string) =>
  blobSas(storage, container.getBlobClient(blob), 'r', Date.now() + READABLE_MS);
