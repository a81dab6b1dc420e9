import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { TableClient, TableServiceClient, type TableServiceClientOptions } from '@azure/data-tables';
import { BlobServiceClient } from '@azure/storage-blob';
import { QueueServiceClient } from '@azure/storage-queue';
import { messageOf, UserFault } from '../log.js';
import type { Backend } from './backend.js';
import { LargePayloads } from './cells.js';
import { ControlQueues, controlQueueNames } from './control-queues.js';
import { HistoryTable } from './history-table.js';
import { HubLease } from './hub-lease.js';
import { InstanceTable } from './instance-table.js';
import { describeHub } from './task-hub.js';

const RETRY = { maxRetries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2000 };

const LOOK_AGAIN_MS = 40;

interface OpenOptions {
  /** How long to wait for a storage that does not listen yet, in seconds. */
  patienceSeconds: number;
  /** How many control queues the hub has. */
  partitionCount: number;
  /** How soon a message comes again that a host took which died, in seconds. */
  hiddenSeconds: number;
  log: (text: string) => void;
}

/**
 * A hub in an Azure storage account: the tables `<Hub>Instances` and `<Hub>History`, blobs for long texts and a lease, queues for
 * the messages of other clients.
 * Creates what is missing. `setting` is a connection string, or `UseDevelopmentStorage=true`.
 * @throws UserFault when the storage cannot be reached.
 */
export async function openTablesBackend(
  setting: string,
  hub: string,
  { patienceSeconds, partitionCount, hiddenSeconds, log }: OpenOptions,
): Promise<Backend> {
  const connectionString = expanded(setting);
  try {
    const options: TableServiceClientOptions = {
      allowInsecureConnection: true,
      retryOptions: RETRY,
      additionalPolicies: [escapeSeparators],
    };
    const tables = TableServiceClient.fromConnectionString(connectionString, options);
    const retryOptions = { maxTries: 3, retryDelayInMs: 200 };
    const blobs = BlobServiceClient.fromConnectionString(connectionString, { retryOptions });
    const queues = QueueServiceClient.fromConnectionString(connectionString, { retryOptions });
    const large = blobs.getContainerClient(`${hub.toLowerCase()}-largemessages`);
    const leases = blobs.getContainerClient(`${hub.toLowerCase()}-leases`);
    await untilListening([tables.url, blobs.url, queues.url], patienceSeconds);
    const table = (suffix: string) => TableClient.fromConnectionString(connectionString, hub + suffix, options);
    const payloads = new LargePayloads(large);
    const inbox = new ControlQueues(queues, hub, payloads, hiddenSeconds);
    await Promise.all([
      tables.createTable(`${hub}Instances`),
      tables.createTable(`${hub}History`),
      tables.createTable(`${hub}Partitions`),
      large.createIfNotExists(),
      leases.createIfNotExists(),
      inbox.create(partitionCount),
    ]);
    const names = controlQueueNames(hub, partitionCount);
    await describeHub(hub, names, { partitions: table('Partitions'), leases });
    const lease = new HubLease(leases.getBlockBlobClient('local-host'), hub, log);
    return {
      hub,
      hold: (lost) => lease.acquire(lost),
      release: () => lease.release(),
      instances: new InstanceTable(table('Instances'), payloads, hub),
      histories: new HistoryTable(table('History'), payloads),
      inbox,
    };
  } catch (error) {
    throw new UserFault(
      `Storage cannot be reached (${firstLine(error)}): start Azurite, or set AzureWebJobsStorage to the right connection string.`,
    );
  }
}

/**
 * Azurite finds no entity in a batch whose JSON holds one of these two line separators; Azure takes them. In JSON they may be written
 * either way.
 */
const SEPARATORS: Record<string, string> = { '\u2028': '\\u2028', '\u2029': '\\u2029' };

const escapeSeparators: NonNullable<TableServiceClientOptions['additionalPolicies']>[number] = {
  // Before the policy that signs the request and tells its length.
  position: 'perCall',
  policy: {
    name: 'escapeSeparators',
    sendRequest: (request, next) => {
      if (typeof request.body === 'string')
        request.body = request.body.replaceAll(/[\u2028\u2029]/g, (char) => SEPARATORS[char] ?? char);
      return next(request);
    },
  },
};

/** The table SDK does not know this abbreviation for Azurite on its default ports. */
function expanded(setting: string): string {
  if (!/^UseDevelopmentStorage=true;?$/i.test(setting.trim())) return setting;
  const key = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
  const at = (port: number) => `http://127.0.0.1:${port}/devstoreaccount1`;
  return `DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=${key};BlobEndpoint=${at(10000)};QueueEndpoint=${at(10001)};TableEndpoint=${at(10002)};`;
}

/** Returns when something listens at every address, or when time is up: the first request then says what is wrong. */
async function untilListening(addresses: string[], patienceSeconds: number): Promise<void> {
  const deadline = Date.now() + patienceSeconds * 1000;
  for (const address of addresses)
    while (Date.now() < deadline && !(await listens(new URL(address)))) await sleep(LOOK_AGAIN_MS);
}

async function listens({ hostname, port, protocol }: URL): Promise<boolean> {
  const socket = connect(Number(port || (protocol === 'https:' ? 443 : 80)), hostname);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function firstLine(error: unknown): string {
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  return (messageOf(inner).split('\n')[0] ?? '').trim() || String((inner as { code?: unknown }).code);
}
