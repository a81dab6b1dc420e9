import type { TableTransaction } from '@azure/data-tables';

export const SENTINEL = 'sentinel';
const MAX_ROWS = 99;
const MAX_BATCH_CHARACTERS = 1_500_000;

/** Adds the row that guards an instance's history: its ETag must be the one read or written last. */
export function addSentinel(
  transaction: TableTransaction,
  partitionKey: string,
  executionId: string,
  complete: boolean,
  etag: string | undefined,
): void {
  const sentinel = {
    partitionKey,
    rowKey: SENTINEL,
    ExecutionId: executionId,
    IsCheckpointComplete: complete,
    CheckpointCompletedTimestamp: new Date(),
  };
  if (etag === undefined) transaction.createEntity(sentinel);
  else transaction.updateEntity(sentinel, 'Merge', { etag });
}

/** Rows are numbered in 16 hex digits, so that they sort as the events came. */
export function rowKey(index: number): string {
  return index.toString(16).toUpperCase().padStart(16, '0');
}

export function isEventRow(key: string): boolean {
  return /^[0-9A-F]{16}$/.test(key);
}

/** Cuts rows into batches; the last one has room for removing the consumed messages. */
export function inBatches<T>(rows: T[], consumed: number): T[][] {
  const batches: T[][] = [[]];
  let size = 0;
  for (const row of rows) {
    const length = JSON.stringify(row).length;
    let batch = batches.at(-1) ?? [];
    if (batch.length >= MAX_ROWS || (batch.length > 0 && size + length > MAX_BATCH_CHARACTERS)) {
      batch = [];
      batches.push(batch);
      size = 0;
    }
    batch.push(row);
    size += length;
  }
  if ((batches.at(-1)?.length ?? 0) + consumed > MAX_ROWS) batches.push([]);
  return batches;
}
