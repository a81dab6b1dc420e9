import {
  BlobSASPermissions,
  BlobServiceClient,
  ContainerSASPermissions,
  RestError,
  SASProtocol,
  type BlobClient,
  type ContainerClient,
} from '@azure/storage-blob';
import type { TokenCredential } from '@azure/identity';
import { JobError } from '../job/failure.js';
import { contentTypeOf } from '../job/formats.js';
import type { Connection } from './connection.js';
import { CLOCK_SKEW_MS, DelegationKeys } from './delegation-keys.js';

/** The two storage accounts; one account may be both. */
export interface Storage {
  media: BlobServiceClient;
  internal: BlobServiceClient;
  /** By account, for those that the app reaches with its login. */
  delegationKeys: Map<string, DelegationKeys>;
}

/**
 * Opens both accounts.
 * @param login makes the credential for the accounts on Azure.
 * @throws JobError `user` when a connection string cannot be read.
 */
export function openStorage(
  { mediaConnection, internalConnection }: { mediaConnection: Connection; internalConnection: Connection },
  login: (clientId?: string) => TokenCredential,
): Storage {
  const delegationKeys = new Map<string, DelegationKeys>();
  const open = (what: string, connection: Connection) => {
    if (typeof connection === 'string') return openAzurite(what, connection);
    const service = new BlobServiceClient(connection.blobServiceUri, login(connection.clientId));
    if (!delegationKeys.has(service.accountName)) delegationKeys.set(service.accountName, new DelegationKeys(service));
    return service;
  };
  return { media: open('media', mediaConnection), internal: open('internal', internalConnection), delegationKeys };
}

function openAzurite(what: string, connection: string): BlobServiceClient {
  try {
    return BlobServiceClient.fromConnectionString(connection);
  } catch (cause) {
    throw new JobError('user', `The connection string of the ${what} storage is not valid; copy it again.`, { cause });
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof RestError && error.statusCode === 404;
}

/** Whether a storage error passes by itself: the network, throttling and the service's own faults. */
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
  const options = { blobHTTPHeaders: { blobContentType: contentTypeOf(blob) }, ...(metadata ? { metadata } : {}) };
  await container.getBlockBlobClient(blob).upload(body, Buffer.byteLength(body), options);
}

/**
 * The bytes of a blob, or its first `count`; undefined when there is none. Sends one request, unlike downloadToBuffer, which
 * asks for the size first and fails when somebody replaces the blob in between.
 */
export async function readBytes(container: ContainerClient, blob: string, count?: number): Promise<Buffer | undefined> {
  try {
    const { readableStreamBody } = await container.getBlobClient(blob).download(0, count);
    const chunks: Uint8Array[] = [];
    // `buffer` of node:stream/consumers goes through a Blob, which takes longer than all the rest.
    for await (const chunk of readableStreamBody ?? []) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
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

/** The names of the blobs below a prefix with the metadata that they were written with; none when there is no such container. */
export async function* listMetadata(
  container: ContainerClient,
  prefix: string,
): AsyncGenerator<{ name: string; metadata: Record<string, string> }> {
  try {
    for await (const { name, metadata } of container.listBlobsFlat({ prefix, includeMetadata: true }))
      yield { name, metadata: metadata ?? {} };
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
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
  permissions: 'r' | 'cw',
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
