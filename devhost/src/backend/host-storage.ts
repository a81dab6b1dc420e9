import { createHash } from 'node:crypto';
import { BlobServiceClient, type ContainerClient, RestError } from '@azure/storage-blob';
import { QueueServiceClient } from '@azure/storage-queue';
import type { TimerStatuses } from '../triggers/timer-triggers.js';

/** So that the name of a queue that ends in the id is not too long. */
const LONGEST_ID = 32;

/** What the host keeps for itself in the storage of its hub, besides the hub: in the containers and queues of the real host. */
export interface HostStorage {
  /** Stands in the names of what belongs to this host. */
  id: string;
  /** Where the real host keeps the state of triggers. */
  hosts: ContainerClient;
  /** Where it keeps keys. */
  secrets: ContainerClient;
  queues: QueueServiceClient;
}

/** Opens nothing yet: containers are made when something is written. `AzureFunctionsWebHost__hostid` sets the id, as in Azure. */
export function hostStorage(connection: string, hub: string): HostStorage {
  const blobs = BlobServiceClient.fromConnectionString(connection, {
    retryOptions: { maxTries: 3, retryDelayInMs: 200 },
  });
  return {
    id: process.env['AzureFunctionsWebHost__hostid'] || hostId(hub),
    hosts: blobs.getContainerClient('azure-webjobs-hosts'),
    secrets: blobs.getContainerClient('azure-webjobs-secrets'),
    queues: QueueServiceClient.fromConnectionString(connection, { retryOptions: { maxTries: 3, retryDelayInMs: 200 } }),
  };
}

/** One host at a time works on a hub, whose name is at most 45 letters and digits. */
function hostId(hub: string): string {
  const id = hub.toLowerCase();
  if (id.length <= LONGEST_ID) return id;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 8);
  return `${id.slice(0, LONGEST_ID - hash.length - 1)}-${hash}`;
}

/** The statuses of timer functions, in the blobs where the real host keeps them (StorageScheduleMonitor.cs). */
export function timerStatuses({ hosts, id }: HostStorage): TimerStatuses {
  const blobOf = (name: string) => `timers/${id}/Host.Functions.${name}/status`;
  return {
    read: async (name) => await readText(hosts, blobOf(name)),
    write: async (name, status) => await writeText(hosts, blobOf(name), status),
  };
}

/** The text of a blob; undefined when there is none. */
export async function readText(container: ContainerClient, name: string): Promise<string | undefined> {
  try {
    return (await container.getBlobClient(name).downloadToBuffer()).toString();
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** Writes a blob, in a container that is made if need be. False where `onlyIfNew` and there is one. */
export async function writeText(
  container: ContainerClient,
  name: string,
  text: string,
  { onlyIfNew = false, metadata = {} }: { onlyIfNew?: boolean; metadata?: Record<string, string> } = {},
): Promise<boolean> {
  const conditions = onlyIfNew ? { ifNoneMatch: '*' } : {};
  const upload = () =>
    container.getBlockBlobClient(name).upload(text, Buffer.byteLength(text), { conditions, metadata });
  try {
    await upload().catch(async (error: unknown) => {
      if (statusOf(error) !== 404) throw error;
      await container.createIfNotExists();
      return await upload();
    });
    return true;
  } catch (error) {
    if (onlyIfNew && (statusOf(error) === 409 || statusOf(error) === 412)) return false;
    throw error;
  }
}

function statusOf(error: unknown): number | undefined {
  return error instanceof RestError ? error.statusCode : undefined;
}
