import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import {
  BlobSASPermissions,
  BlobServiceClient,
  ContainerSASPermissions,
  RestError,
  SASProtocol,
  type BlobClient,
  type BlobItem,
  type BlockBlobClient,
  type ContainerClient,
} from '@azure/storage-blob';
import type { TokenCredential } from '@azure/identity';
import { QueueServiceClient } from '@azure/storage-queue';
import { again, readWhole, STORAGE_OPTIONS } from '../container-contract/storage-access.js';
import { JobError } from '../job/failure.js';
import { contentTypeOf } from '../job/items/formats.js';
import type { Connection } from './connection.js';
import { CLOCK_SKEW_MS, DelegationKeys } from './delegation-keys.js';

/** The two storage accounts; one account may be both. */
export interface Storage {
  media: BlobServiceClient;
  internal: BlobServiceClient;
  mediaQueues: QueueServiceClient;
  /** Where new media is told of. */
  queues: QueueServiceClient;
  /** By account, for those that the app reaches with its login. */
  delegationKeys: Map<string, DelegationKeys>;
  logins: Map<string, TokenCredential>;
}

/**
 * Opens both accounts.
 * @param login makes the credential for the accounts on Azure.
 * @throws JobError `user` when a connection string cannot be read.
 */
export function openStorage(
  {
    mediaConnection,
    internalConnection,
    queueConnection = internalConnection,
  }: { mediaConnection: Connection; internalConnection: Connection; queueConnection?: Connection },
  login: (clientId?: string) => TokenCredential,
): Storage {
  const delegationKeys = new Map<string, DelegationKeys>();
  const logins = new Map<string, TokenCredential>();
  const open = (what: string, connection: Connection) => {
    if (typeof connection === 'string') return openAzurite(what, connection);
    const credential = login(connection.clientId);
    const service = new BlobServiceClient(connection.blobServiceUri, credential, STORAGE_OPTIONS);
    logins.set(service.accountName, credential);
    if (!delegationKeys.has(service.accountName)) delegationKeys.set(service.accountName, new DelegationKeys(service));
    return service;
  };
  return {
    media: open('media', mediaConnection),
    internal: open('internal', internalConnection),
    mediaQueues: openQueues(mediaConnection, login),
    queues: openQueues(queueConnection, login),
    delegationKeys,
    logins,
  };
}

const { retryOptions } = STORAGE_OPTIONS;
const QUEUE_OPTIONS = { ...(retryOptions && { retryOptions }) };

/** The queues of an account are beside its blobs, in every cloud of Azure. */
function openQueues(connection: Connection, login: (clientId?: string) => TokenCredential): QueueServiceClient {
  if (typeof connection === 'string') return QueueServiceClient.fromConnectionString(connection, QUEUE_OPTIONS);
  const uri = connection.blobServiceUri.replace('.blob.', '.queue.');
  return new QueueServiceClient(uri, login(connection.clientId), QUEUE_OPTIONS);
}

function openAzurite(what: string, connection: string): BlobServiceClient {
  try {
    return BlobServiceClient.fromConnectionString(connection, STORAGE_OPTIONS);
  } catch (cause) {
    throw new JobError('user', `The connection string of the ${what} storage is not valid; copy it again.`, { cause });
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof RestError && error.statusCode === 404;
}

/** Writes JSON as one atomic blob; `metadata` values must be ASCII. */
export const writeJson = (
  container: ContainerClient,
  blob: string,
  value: unknown,
  metadata?: Record<string, string>,
): Promise<void> => putJson(container, blob, value, metadata, {});

/** As `writeJson`, unless there is such a blob. @returns whether it was written; false also when only the answer of an earlier try was lost. */
export async function createJson(
  container: ContainerClient,
  blob: string,
  value: unknown,
  metadata?: Record<string, string>,
): Promise<boolean> {
  try {
    await putJson(container, blob, value, metadata, { ifNoneMatch: '*' });
    return true;
  } catch (error) {
    if (error instanceof RestError && CONFLICTS.includes(error.statusCode ?? 0)) return false;
    throw error;
  }
}

async function putJson(
  container: ContainerClient,
  blob: string,
  value: unknown,
  metadata: Record<string, string> | undefined,
  conditions: object,
): Promise<void> {
  const body = JSON.stringify(value);
  const blobHTTPHeaders = { blobContentType: contentTypeOf(blob) };
  const options = { blobHTTPHeaders, conditions, ...(metadata ? { metadata } : {}) };
  await again(() => container.getBlockBlobClient(blob).upload(body, Buffer.byteLength(body), options));
}

/**
 * The bytes of a blob, or its first `count`; undefined when there is none.
 * @throws RestError 412 when it is not of the version with this ETag.
 */
export async function readBytes(
  container: ContainerClient,
  blob: string,
  count?: number,
  etag?: string,
): Promise<Buffer | undefined> {
  try {
    return await readWhole(container.getBlobClient(blob), { count, etag });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    // Of an empty blob there is no first byte to ask for.
    if (count !== undefined && error instanceof RestError && error.statusCode === 416) return Buffer.alloc(0);
    throw error;
  }
}

/**
 * The text of a blob; undefined when there is none.
 * @throws RestError 412 when it is not of the version with this ETag.
 */
export async function readText(container: ContainerClient, blob: string, etag?: string): Promise<string | undefined> {
  return (await readBytes(container, blob, undefined, etag))?.toString('utf8');
}

/**
 * Reads a JSON blob that this project wrote; undefined when there is none.
 * @throws JobError `platform` when it is no JSON: it is written whole or not at all, so storage has damaged it.
 */
export async function readJson<T>(container: ContainerClient, blob: string): Promise<T | undefined> {
  const text = await readText(container, blob);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new JobError('platform', `The record ${container.containerName}/${blob} is damaged.`, { cause });
  }
}

const CONFLICTS = [409, 412];
const CHANGE_TRIES = 60;
const LONGEST_PAUSE_MS = 200;

/**
 * Replaces a JSON blob by what is made of it, as one step: those who change it at the same moment see each other's change. Makes the
 * container if there is none.
 * @param next what it becomes, or the very value that it got to leave it; may be called several times.
 * @returns the value as it then is.
 * @throws JobError `platform` when too many others change it all the time.
 */
export async function changeJson<T>(
  container: ContainerClient,
  blob: string,
  next: (before: T | undefined) => T,
): Promise<T> {
  const client = container.getBlockBlobClient(blob);
  let own = ownVersions.get(client.url);
  for (let tries = 1; tries <= CHANGE_TRIES; tries += 1) {
    const isOwn = own !== undefined;
    const { etag, text }: Version = own ?? (await readVersion(container, blob));
    own = undefined;
    const before = text === undefined ? undefined : (JSON.parse(text) as T);
    const value = next(before);
    // Only a write tells whether what this process wrote last is still there.
    if (value === before && isOwn) continue;
    if (value === before) return value;
    const body = JSON.stringify(value);
    const conditions = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag };
    const blobHTTPHeaders = { blobContentType: contentTypeOf(blob) };
    try {
      const written = await again(() => client.upload(body, Buffer.byteLength(body), { conditions, blobHTTPHeaders }));
      remember(client.url, { text: body, ...(written.etag !== undefined && { etag: written.etag }) });
      return value;
    } catch (error) {
      if (isNotFound(error)) await container.createIfNotExists();
      else if (!(error instanceof RestError && CONFLICTS.includes(error.statusCode ?? 0))) throw error;
    }
    if (!isOwn) await pause(Math.random() * Math.min(LONGEST_PAUSE_MS, 10 * tries));
  }
  throw new JobError(
    'platform',
    `Too many change ${container.containerName}/${blob} at once; try again a little later.`,
    {
      retryAfterSeconds: 5,
    },
  );
}

interface Version {
  etag?: string;
  text?: string;
}

const MOST_VERSIONS = 64;
/** What this process has written last of what it changes, by URL: as long as nobody else changes that, it need not be read. */
const ownVersions = new Map<string, Version>();

function remember(url: string, version: Version): void {
  ownVersions.delete(url);
  ownVersions.set(url, version);
  const [oldest] = ownVersions.keys();
  if (ownVersions.size > MOST_VERSIONS && oldest !== undefined) ownVersions.delete(oldest);
}

/** The text of a blob and the version that was read; nothing when there is none. */
async function readVersion(container: ContainerClient, blob: string): Promise<Version> {
  try {
    return await again(async () => {
      const { etag, contentLength, readableStreamBody } = await container.getBlobClient(blob).download();
      const text = await textOf(readableStreamBody ?? Readable.from([]));
      if (Buffer.byteLength(text) !== contentLength)
        throw new RestError(`${blob} was cut short.`, { code: 'PARSE_ERROR' });
      return { ...(etag !== undefined && { etag }), text };
    });
  } catch (error) {
    if (isNotFound(error)) return {};
    throw error;
  }
}

/** The blobs below a prefix, in the order of their names; none when there is no such container. */
export async function* listBlobs(
  container: ContainerClient,
  options: { prefix: string; includeMetadata?: boolean },
): AsyncGenerator<BlobItem> {
  let continuationToken: string | undefined;
  do {
    const page = await listPage(container, options, continuationToken);
    yield* page.items;
    continuationToken = page.next;
  } while (continuationToken !== undefined);
}

/**
 * A page of that list.
 * @param from what the page before gave as `next`.
 * @param most items; 5000 at most.
 */
export async function listPage(
  container: ContainerClient,
  options: { prefix: string; includeMetadata?: boolean },
  from?: string,
  most?: number,
): Promise<{ items: BlobItem[]; next: string | undefined }> {
  try {
    return await again(async () => {
      const pages = container.listBlobsFlat(options).byPage({ continuationToken: from, maxPageSize: most });
      const { value } = await pages.next();
      return { items: value?.segment.blobItems ?? [], next: value?.continuationToken || undefined };
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return { items: [], next: undefined };
  }
}

/** The names of the blobs below a prefix with the metadata that they were written with; none when there is no such container. */
export async function* listMetadata(
  container: ContainerClient,
  prefix: string,
): AsyncGenerator<{ name: string; metadata: Record<string, string> }> {
  for await (const { name, metadata } of listBlobs(container, { prefix, includeMetadata: true }))
    yield { name, metadata: metadata ?? {} };
}

/** Copy Blob From URL copies no more: https://learn.microsoft.com/rest/api/storageservices/copy-blob-from-url */
const COPIED_AT_ONCE_BYTES = 256 * 1024 * 1024;
const BUFFER_BYTES = 8 * 1024 * 1024;
const TOKEN_SCOPE = 'https://storage.azure.com/.default';

/**
 * Copies a blob within its account. The service keeps the URL of the source with the copy, so that one has no signature: the app's login
 * opens the source. No byte comes by here, unless the blob has more than 256 MiB.
 * @throws RestError 412 when the source is not of the version with this ETag, if one is named.
 */
export async function copyWithin(
  storage: Storage,
  source: BlockBlobClient,
  target: BlockBlobClient,
  { bytes, etag, ...options }: { bytes: number; metadata: Record<string, string>; conditions: object; etag?: string },
): Promise<void> {
  const sourceConditions = etag === undefined ? {} : { ifMatch: etag };
  if (bytes > COPIED_AT_ONCE_BYTES) {
    await again(async () => {
      const read = { conditions: sourceConditions };
      const { readableStreamBody, contentType } = await source.download(0, undefined, read);
      const headers = { blobHTTPHeaders: { blobContentType: contentType } };
      await target.uploadStream(Readable.from(readableStreamBody ?? []), BUFFER_BYTES, 2, { ...options, ...headers });
    });
    return;
  }
  const token = await storage.logins.get(source.accountName)?.getToken(TOKEN_SCOPE);
  const sourceAuthorization = token ? { scheme: 'Bearer', value: token.token } : undefined;
  await again(() => target.syncCopyFromURL(source.url, { ...options, sourceConditions, sourceAuthorization }));
}

/** The newest version of the rules for signatures that Azurite 3.35 knows; Azure accepts it, too. */
const SAS_VERSION = '2025-11-05';

/**
 * URL of the container with a SAS. Never log it or hand it to an orchestrator.
 * @param permissions as in `rcwl`.
 * @param expiresAt milliseconds since the epoch.
 */
export async function containerSas(
  storage: Storage,
  container: ContainerClient,
  permissions: string,
  expiresAt: number,
): Promise<string> {
  const options = { ...validity(expiresAt), permissions: ContainerSASPermissions.parse(permissions) };
  const key = await storage.delegationKeys.get(container.accountName)?.lasting(expiresAt);
  if (!key) return container.generateSasUrl(options);
  return container.generateUserDelegationSasUrl({ ...options, protocol: SASProtocol.Https }, key);
}

/** URL of one blob with a SAS, for reading or for writing it once; as `containerSas`. */
export async function blobSas(
  storage: Storage,
  blob: BlobClient,
  permissions: 'r' | 'cw' | 'cwd' | 'rcw',
  expiresAt: number,
): Promise<string> {
  const options = { ...validity(expiresAt), permissions: BlobSASPermissions.parse(permissions) };
  const key = await storage.delegationKeys.get(blob.accountName)?.lasting(expiresAt);
  if (!key) return blob.generateSasUrl(options);
  return blob.generateUserDelegationSasUrl({ ...options, protocol: SASProtocol.Https }, key);
}

const validity = (expiresAt: number) => ({
  startsOn: new Date(Date.now() - CLOCK_SKEW_MS),
  expiresOn: new Date(expiresAt),
  version: SAS_VERSION,
});
