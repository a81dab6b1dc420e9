import { odata, RestError, type TableClient, TableTransaction } from '@azure/data-tables';
import pMap from 'p-map';
import type { MessageBody } from '../protocol/history.js';
import {
  type Checkpoint,
  HistoryConflict,
  type Histories,
  type ParkedMessage,
  type Receipt,
  type StoredHistory,
  type Taken,
} from './backend.js';
import { type LargePayloads, toKey } from './cells.js';
import { addSentinel, inBatches, isEventRow, rowKey, SENTINEL, toEntity, toEvent } from './history-rows.js';

/** Keys sort by time, then by number. */
const parkedKey = (time: number, number: number) =>
  `parked-${String(time).padStart(15, '0')}-${String(number).padStart(8, '0')}`;

type Row = Record<string, unknown> & { rowKey: string; etag: string };

/** How many instances are listed at once to be cleared, and how many are cleared at the same time. */
const NEIGHBOURS = 100;
const PARALLEL_CLEARS = 8;

/**
 * `<Hub>History`. Rows and sentinel are laid out as DurableTask.AzureStorage does; the sentinel's ETag in every batch is
 * the optimistic lock. Parked messages live in the same partition (readers go by ExecutionId, which they lack), so that
 * one transaction takes a message in and removes it: it is neither lost nor seen twice.
 */
export class HistoryTable implements Histories {
  readonly #table: TableClient;
  readonly #payloads: LargePayloads;
  #parked = 0;

  constructor(table: TableClient, payloads: LargePayloads) {
    this.#table = table;
    this.#payloads = payloads;
  }

  /** Reads the current execution as it stands, a checkpoint under way included. */
  async read(instanceId: string): Promise<StoredHistory> {
    const { stored } = await this.#read(instanceId);
    return stored;
  }

  /** Loads the current execution for its one writer. What an interrupted checkpoint left behind is removed. */
  async load(instanceId: string): Promise<StoredHistory> {
    const { stored, keys, complete } = await this.#read(instanceId);
    if (complete) return stored;
    const kept = stored.events.findLastIndex((event) => event.EventType === 'OrchestratorCompleted') + 1;
    await this.#remove(instanceId, keys.slice(kept));
    return { ...stored, events: stored.events.slice(0, kept) };
  }

  async #read(instanceId: string): Promise<{ stored: StoredHistory; keys: string[]; complete: boolean }> {
    const rows = await this.#rows(instanceId);
    const sentinel = rows.find((row) => row.rowKey === SENTINEL);
    const executionId = sentinel?.['ExecutionId'] as string | undefined;
    const eventRows = rows.filter((row) => isEventRow(row.rowKey) && row['ExecutionId'] === executionId);
    const parkedRows = rows.filter((row) => row.rowKey.startsWith('parked-'));
    const events = await Promise.all(eventRows.map((row) => toEvent(row, this.#payloads)));
    const parked = await Promise.all(parkedRows.map((row) => this.#unpark(row)));
    const complete = !sentinel || sentinel['IsCheckpointComplete'] === true;
    return {
      stored: { executionId, etag: sentinel?.etag, events, parked },
      keys: eventRows.map((row) => row.rowKey),
      complete,
    };
  }

  /** Writes a turn, at most 99 rows per batch, and returns the sentinel's new ETag. */
  async append(checkpoint: Checkpoint): Promise<string> {
    const partitionKey = toKey(checkpoint.instanceId);
    const { executionId, consumed } = checkpoint;
    const rows = await Promise.all(
      checkpoint.events.map((event, offset) =>
        toEntity(event, { partitionKey, rowKey: rowKey(checkpoint.firstIndex + offset), executionId }, this.#payloads),
      ),
    );
    let { etag } = checkpoint;
    let isFresh = checkpoint.isFresh === true;
    const batches = inBatches(rows, consumed.length);
    for (const [index, batch] of batches.entries()) {
      const last = index === batches.length - 1;
      const submit = async () => {
        const transaction = new TableTransaction();
        for (const row of batch) {
          // Azurite looks for a row twice to replace it, among all rows of the instance, and once to add it.
          if (isFresh) transaction.createEntity(row);
          else transaction.upsertEntity(row, 'Replace');
        }
        if (last) for (const key of consumed) transaction.deleteEntity(partitionKey, key);
        addSentinel(transaction, partitionKey, executionId, last, etag);
        return await this.#submit(transaction);
      };
      etag = await submit().catch(async (error: unknown) => {
        if (!isFresh || !(error instanceof HistoryConflict)) throw error;
        // It may be a row that stands in the way: the sentinel tells.
        isFresh = false;
        return await submit();
      });
    }
    if (etag === undefined) throw new Error('Storage did not return the ETag of a checkpoint.');
    return etag;
  }

  /** Makes a message durable; the key is what a checkpoint names to consume it. */
  async park(instanceId: string, body: MessageBody, executionId?: string): Promise<string> {
    const key = parkedKey(Date.now(), this.#parked++);
    return await this.#park(instanceId, body, key, executionId ? { ForExecution: executionId } : {});
  }

  async parkTaken(instanceId: string, body: MessageBody, { receipt, insertedAt, sequence }: Taken): Promise<string> {
    const key = `${parkedKey(insertedAt.getTime(), sequence)}-${receipt.id}`;
    return await this.#park(instanceId, body, key, { TakenFrom: JSON.stringify(receipt) });
  }

  async #park(instanceId: string, body: MessageBody, key: string, rest: object): Promise<string> {
    const partitionKey = toKey(instanceId);
    const text = JSON.stringify(body);
    const event = this.#payloads.isLarge(text)
      ? { Event: '', EventBlobName: await this.#payloads.put(partitionKey, key, body.EventType, 'Event', text) }
      : { Event: text };
    const row = { partitionKey, rowKey: key, ...event, ...rest };
    // Nobody else makes this key: a row that is there already is from a try whose answer was lost.
    await this.#table.upsertEntity(row, 'Replace');
    return key;
  }

  /** Removes everything about an instance: history, parked messages and long texts. */
  async clear(instanceId: string): Promise<void> {
    const rows = await this.#rows(instanceId, ['PartitionKey', 'RowKey']);
    await this.#remove(
      instanceId,
      rows.map((row) => row.rowKey),
    );
    await this.#payloads.removeAll(toKey(instanceId));
  }

  /** Neighbours are listed together: Azurite looks at every row of the table for each list. */
  async clearAll(instanceIds: readonly string[]): Promise<void> {
    const keys = instanceIds.map((id) => toKey(id)).toSorted();
    const withTexts = await this.#payloads.owners();
    for (let at = 0; at < keys.length; at += NEIGHBOURS) {
      const group = keys.slice(at, at + NEIGHBOURS);
      const rows = await this.#keysBetween(group[0] ?? '', group.at(-1) ?? '');
      const clear = async (partitionKey: string) => {
        await this.#removeRows(partitionKey, rows.get(partitionKey) ?? []);
        if (withTexts.has(partitionKey)) await this.#payloads.removeAll(partitionKey);
      };
      await pMap(group, clear, { concurrency: PARALLEL_CLEARS });
    }
  }

  async #keysBetween(first: string, last: string): Promise<Map<string, string[]>> {
    const found = new Map<string, string[]>();
    const filter = odata`PartitionKey ge ${first} and PartitionKey le ${last}`;
    const queryOptions = { filter, select: ['PartitionKey', 'RowKey'] };
    for await (const { partitionKey = '', rowKey: key = '' } of this.#table.listEntities({ queryOptions })) {
      const keys = found.get(partitionKey);
      if (keys) keys.push(key);
      else found.set(partitionKey, [key]);
    }
    return found;
  }

  async #rows(instanceId: string, select?: string[]): Promise<Row[]> {
    const filter = odata`PartitionKey eq ${toKey(instanceId)}`;
    const rows: Row[] = [];
    const queryOptions = select ? { filter, select } : { filter };
    for await (const row of this.#table.listEntities({ queryOptions })) {
      rows.push({ ...row, rowKey: row.rowKey ?? '' });
    }
    return rows;
  }

  async #remove(instanceId: string, keys: string[]): Promise<void> {
    await this.#removeRows(toKey(instanceId), keys);
  }

  async #removeRows(partitionKey: string, keys: string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += 100) await this.#removeTogether(partitionKey, keys.slice(at, at + 100));
  }

  /** At most 100 rows. One that is gone fails the others: another request removes the same, or an earlier try lost its answer. */
  async #removeTogether(partitionKey: string, keys: string[]): Promise<void> {
    const transaction = new TableTransaction();
    for (const key of keys) transaction.deleteEntity(partitionKey, key);
    try {
      await this.#table.submitTransaction(transaction.actions);
    } catch (error) {
      if (!(error instanceof RestError && error.statusCode === 404)) throw error;
      const there = new Set((await this.#keysBetween(partitionKey, partitionKey)).get(partitionKey));
      const left = keys.filter((key) => there.has(key));
      if (left.length > 0) await this.#removeTogether(partitionKey, left);
    }
  }

  async #unpark(row: Row): Promise<ParkedMessage> {
    const blob = row['EventBlobName'];
    const text = typeof blob === 'string' ? await this.#payloads.get(blob) : String(row['Event']);
    const taken = row['TakenFrom'];
    return {
      key: row.rowKey,
      body: JSON.parse(text) as MessageBody,
      executionId: row['ForExecution'] as string | undefined,
      ...(typeof taken === 'string' ? { receipt: JSON.parse(taken) as Receipt } : {}),
    };
  }

  async #submit(transaction: TableTransaction): Promise<string | undefined> {
    try {
      const response = await this.#table.submitTransaction(transaction.actions);
      // By position: responses to updates do not name their row.
      return response.subResponses.at(-1)?.etag;
    } catch (error) {
      if (error instanceof RestError && (error.statusCode === 412 || error.statusCode === 409)) {
        throw new HistoryConflict('Another host has written to this instance.');
      }
      throw error;
    }
  }
}
