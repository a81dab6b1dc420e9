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

/** Opens the hub and creates what is missing. */
export async function openTaskHub(
  connectionString: string,
  name: string,
  log: (text: string) => void,
): Promise<TaskHub> {
  try {
    const options = { allowInsecureConnection: true, retryOptions: RETRY };
    const tables = TableServiceClient.fromConnectionString(connectionString, options);
    const blobs = BlobServiceClient.fromConnectionString(connectionString, {
      retryOptions: { maxTries: 3, retryDelayInMs: 200 },
    });
    const large = blobs.getContainerClient(`${name.toLowerCase()}-largemessages`);
    const leases = blobs.getContainerClient(`${name.toLowerCase()}-leases`);
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

function firstLine(error: unknown): string {
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  return (messageOf(inner).split('\n')[0] ?? '').trim() || String((inner as { code?: unknown }).code);
}
