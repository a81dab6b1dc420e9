import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { TableClient, TableServiceClient } from '@azure/data-tables';
import { BlobServiceClient } from '@azure/storage-blob';
import { messageOf, UserFault } from '../fault.js';
import { HistoryTable } from './history-table.js';
import { HubLease } from './hub-lease.js';
import { InstanceTable } from './instance-table.js';
import { LargePayloads } from './large-payloads.js';

/** A task hub's tables and containers in the storage account. */
export interface TaskHub {
  name: string;
  instances: InstanceTable;
  history: HistoryTable;
  lease: HubLease;
}

const RETRY = { maxRetries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2000 };

const LOOK_AGAIN_MS = 40;

interface OpenOptions {
  /** How long to wait for a storage that does not listen yet, in seconds. */
  patienceSeconds: number;
  log: (text: string) => void;
}

/** Opens the hub and creates what is missing. */
export async function openTaskHub(
  connectionString: string,
  name: string,
  { patienceSeconds, log }: OpenOptions,
): Promise<TaskHub> {
  try {
    const options = { allowInsecureConnection: true, retryOptions: RETRY };
    const tables = TableServiceClient.fromConnectionString(connectionString, options);
    const blobs = BlobServiceClient.fromConnectionString(connectionString, {
      retryOptions: { maxTries: 3, retryDelayInMs: 200 },
    });
    const large = blobs.getContainerClient(`${name.toLowerCase()}-largemessages`);
    const leases = blobs.getContainerClient(`${name.toLowerCase()}-leases`);
    await untilListening([tables.url, blobs.url], patienceSeconds);
    const table = (suffix: string) => TableClient.fromConnectionString(connectionString, name + suffix, options);
    await Promise.all([
      tables.createTable(`${name}Instances`),
      tables.createTable(`${name}History`),
      large.createIfNotExists(),
      leases.createIfNotExists(),
    ]);
    const payloads = new LargePayloads(large);
    return {
      name,
      instances: new InstanceTable(table('Instances'), payloads, name),
      history: new HistoryTable(table('History'), payloads),
      lease: new HubLease(leases.getBlockBlobClient('local-host'), name, log),
    };
  } catch (error) {
    throw new UserFault(
      `Storage cannot be reached (${firstLine(error)}): start Azurite, or set AzureWebJobsStorage to the right connection string.`,
    );
  }
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
