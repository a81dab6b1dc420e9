import type { TableClient } from '@azure/data-tables';
import type { ContainerClient } from '@azure/storage-blob';

/**
 * Writes down how many control queues the hub has, where DurableTask.AzureStorage's clients and Azure's scaling look for it: a row each in
 * `<Hub>Partitions`, which nobody owns, and `taskhub.json` for versions before that table. What is there already stays.
 */
export async function describeHub(
  hub: string,
  controlQueues: string[],
  { partitions, leases }: { partitions: TableClient; leases: ContainerClient },
): Promise<void> {
  const there = new Set<string | undefined>();
  for await (const { rowKey } of partitions.listEntities()) there.add(rowKey);
  const missing = controlQueues.filter((name) => !there.has(name));
  if (missing.length === 0) return;
  const parameters = { TaskHubName: hub, CreatedAt: new Date().toISOString(), PartitionCount: controlQueues.length };
  const body = JSON.stringify(parameters);
  try {
    const headers = { blobHTTPHeaders: { blobContentType: 'application/json' } };
    const blob = leases.getBlockBlobClient('taskhub.json');
    await blob.upload(body, Buffer.byteLength(body), { conditions: { ifNoneMatch: '*' }, ...headers });
  } catch (error) {
    if (!isThere(error)) throw error;
  }
  await Promise.all(
    missing.map((rowKey) => partitions.upsertEntity({ partitionKey: '', rowKey, IsDraining: false }, 'Merge')),
  );
}

const isThere = (error: unknown) => (error as { statusCode?: unknown }).statusCode === 409;
