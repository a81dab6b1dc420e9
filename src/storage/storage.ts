import { buffer } from 'node:stream/consumers';
import {
  BlobSASPermissions,
  BlobServiceClient,
  ContainerSASPermissions,
  RestError,
  type BlobClient,
  type ContainerClient,
} from '@azure/storage-blob';
import { JobError } from '../job/failure.js';
import { jobContainer, MODELS, splitPath, workContainer } from './layout.js';

/** The two storage accounts; one account may serve as both. */
export interface Storage {
  media: BlobServiceClient;
  internal: BlobServiceClient;
}

/**
 * Opens both accounts by connection string.
 * @throws JobError `user` when a connection string cannot be read.
 */
export function openStorage(settings: { mediaConnection: string; internalConnection: string }): Storage {
  const open = (setting: string, connection: string) => {
    try {
      return BlobServiceClient.fromConnectionString(connection);
    } catch (cause) {
      throw new JobError(
        'user',
        `The storage connection string for ${setting} is not valid; copy it again from the storage account.`,
        { cause },
      );
    }
  };
  return { media: open('media', settings.mediaConnection), internal: open('internal', settings.internalConnection) };
}

export const workOf = (storage: Storage, jobId: string) => storage.media.getContainerClient(workContainer(jobId));
export const jobOf = (storage: Storage, jobId: string) => storage.internal.getContainerClient(jobContainer(jobId));
export const modelsOf = (storage: Storage) => storage.internal.getContainerClient(MODELS);

/** A blob of the media account by its path in a job specification, e.g. `inbox/coast.mp4`. */
export function mediaBlob(storage: Storage, path: string) {
  const { container, blob } = splitPath(path);
  return storage.media.getContainerClient(container).getBlockBlobClient(blob);
}

export function isNotFound(error: unknown): boolean {
  return error instanceof RestError && error.statusCode === 404;
}

/** Whether a storage error is worth waiting out: the network, throttling and the service's own faults. */
export function isPlatformError(error: unknown): boolean {
  if (!(error instanceof RestError)) return false;
  const status = error.statusCode;
  return status === undefined || status === 408 || status === 429 || status >= 500;
}

/** Writes JSON as one atomic blob; `metadata` values must be ASCII. */
export async function writeJson(
  container: ContainerClient,
  blob: string,
  value: unknown,
  metadata?: Record<string, string>,
): Promise<void> {
  const body = JSON.stringify(value);
  const options = { blobHTTPHeaders: { blobContentType: 'application/json' }, ...(metadata ? { metadata } : {}) };
  await container.getBlockBlobClient(blob).upload(body, Buffer.byteLength(body), options);
}

/**
 * The bytes of a blob, or its first `count`; undefined when there is none. One request, unlike downloadToBuffer, which asks for the size first and
 * fails when the blob is replaced in between.
 */
export async function readBytes(container: ContainerClient, blob: string, count?: number): Promise<Buffer | undefined> {
  try {
    const { readableStreamBody } = await container.getBlobClient(blob).download(0, count);
    return readableStreamBody ? await buffer(readableStreamBody) : Buffer.alloc(0);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The text of a blob; undefined when there is none. */
export async function readText(container: ContainerClient, blob: string): Promise<string | undefined> {
  return (await readBytes(container, blob))?.toString('utf8');
}

/** Reads a JSON blob that this project wrote; undefined when there is none. */
export async function readJson<T>(container: ContainerClient, blob: string): Promise<T | undefined> {
  const text = await readText(container, blob);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

const SAS_CLOCK_SKEW_MS = 5 * 60_000;
const startsOn = () => new Date(Date.now() - SAS_CLOCK_SKEW_MS);

/** URL of the container with a SAS; `permissions` as in `rcwl`. Never log it or hand it to an orchestrator. */
export function containerSas(container: ContainerClient, permissions: string, seconds: number): Promise<string> {
  const expiresOn = new Date(Date.now() + seconds * 1000);
  return container.generateSasUrl({
    permissions: ContainerSASPermissions.parse(permissions),
    startsOn: startsOn(),
    expiresOn,
  });
}

/** URL of one blob with a SAS, for reading or for writing it once. */
export function blobSas(blob: BlobClient, permissions: 'r' | 'cw', seconds: number): Promise<string> {
  const expiresOn = new Date(Date.now() + seconds * 1000);
  return blob.generateSasUrl({ permissions: BlobSASPermissions.parse(permissions), startsOn: startsOn(), expiresOn });
}
