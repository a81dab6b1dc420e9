import { odata, RestError, type TableClient, type TableEntityResult } from '@azure/data-tables';
import type { ParentTraceContext, RuntimeStatus } from '../protocol/history.js';
import { readClientMessage } from '../protocol/client-message.js';
import type { InstancePage, InstanceQuery, InstanceRow, Instances } from './backend.js';
import { fromKey, type LargePayloads, toKey } from './cells.js';

type Row = TableEntityResult<Record<string, unknown>>;

/**
 * `<Hub>Instances`, laid out as DurableTask.AzureStorage does, so that Durable Functions Monitor can read it. One column is our own:
 * `ParentTraceContext`, which the real host keeps in the message that starts an instance.
 */
export class InstanceTable implements Instances {
  readonly #table: TableClient;
  readonly #payloads: LargePayloads;
  readonly #hubName: string;

  constructor(table: TableClient, payloads: LargePayloads, hubName: string) {
    this.#table = table;
    this.#payloads = payloads;
    this.#hubName = hubName;
  }

  async get(instanceId: string): Promise<InstanceRow | undefined> {
    try {
      return await this.#read(await this.#table.getEntity(toKey(instanceId), ''));
    } catch (error) {
      if (error instanceof RestError && error.statusCode === 404) return undefined;
      throw error;
    }
  }

  async put(row: InstanceRow): Promise<void> {
    const trace = row.parentTraceContext && { ParentTraceContext: JSON.stringify(row.parentTraceContext) };
    const input = await this.#long(row, 'Input', row.input);
    await this.#table.upsertEntity({ ...(await this.#columns(row)), ...input, ...trace }, 'Replace');
  }

  async update(row: InstanceRow): Promise<void> {
    await this.#table.upsertEntity(await this.#columns(row), 'Merge');
  }

  async remove(instanceId: string): Promise<void> {
    try {
      await this.#table.deleteEntity(toKey(instanceId), '');
    } catch (error) {
      if (!(error instanceof RestError && error.statusCode === 404)) throw error;
    }
  }

  async *all(query: InstanceQuery): AsyncGenerator<InstanceRow> {
    for await (const row of this.#table.listEntities({
      queryOptions: { filter: filterOf(query) },
    })) {
      yield await this.#read(row);
    }
  }

  async page(query: InstanceQuery, top: number, token: string | undefined): Promise<InstancePage> {
    const from = token === undefined ? {} : { continuationToken: toContinuation(token) };
    const pages = this.#table
      .listEntities({ queryOptions: { filter: filterOf(query) } })
      .byPage({ maxPageSize: top, ...from });
    try {
      for await (const page of pages) {
        return {
          rows: await Promise.all(page.map((row) => this.#read(row))),
          next: fromContinuation(page.continuationToken),
        };
      }
    } catch (error) {
      // A token that storage did not make.
      if (token === undefined || !(error instanceof RestError) || error.statusCode !== 400) throw error;
    }
    return { rows: [], next: undefined };
  }

  async #columns(row: InstanceRow) {
    return {
      partitionKey: toKey(row.instanceId),
      rowKey: '',
      Name: row.name,
      ...(row.version === '' ? {} : { Version: row.version }),
      ExecutionId: row.executionId,
      RuntimeStatus: row.status,
      CustomStatus: row.customStatus ?? 'null',
      CreatedTime: row.createdTime,
      LastUpdatedTime: row.lastUpdatedTime,
      TaskHubName: this.#hubName,
      ...(row.generation === null ? {} : { Generation: row.generation }),
      Tags: 'null',
      ParentInstanceId: row.parentInstanceId ?? '',
      ...(row.completedTime ? { CompletedTime: row.completedTime } : {}),
      ...(row.startAt ? { ScheduledStartTime: row.startAt } : {}),
      ...(await this.#long(row, 'Output', row.output)),
    };
  }

  async #long(row: InstanceRow, property: 'Input' | 'Output', text: string | null): Promise<Record<string, string>> {
    if (text === null) return {};
    if (!this.#payloads.isLarge(text)) return { [property]: text };
    const name = await this.#payloads.put(toKey(row.instanceId), '', property, property, text);
    return { [property]: this.#payloads.urlOf(name) };
  }

  async #read(row: Row): Promise<InstanceRow> {
    const text = (name: string): string | null => (typeof row[name] === 'string' ? row[name] : null);
    const custom = text('CustomStatus');
    const startAt = toDate(row['ScheduledStartTime']);
    return {
      instanceId: fromKey(row.partitionKey ?? ''),
      name: text('Name') ?? '',
      version: text('Version') ?? '',
      executionId: text('ExecutionId') ?? '',
      status: (text('RuntimeStatus') ?? 'Pending') as RuntimeStatus,
      input: await this.#full(text('Input')),
      output: await this.#full(text('Output')),
      customStatus: custom === 'null' ? null : custom,
      createdTime: toDate(row['CreatedTime']) ?? new Date(0),
      lastUpdatedTime: toDate(row['LastUpdatedTime']) ?? new Date(0),
      completedTime: toDate(row['CompletedTime']),
      generation: typeof row['Generation'] === 'number' ? row['Generation'] : null,
      parentInstanceId: text('ParentInstanceId') || null,
      ...(startAt ? { startAt } : {}),
      parentTraceContext: JSON.parse(text('ParentTraceContext') ?? 'null') as ParentTraceContext | null,
    };
  }

  async #full(text: string | null): Promise<string | null> {
    const blob = text === null ? undefined : this.#payloads.nameOf(text);
    if (blob === undefined) return text;
    const full = await this.#payloads.get(blob);
    // The input of an instance that was started by a long message is all of that message.
    return blob.endsWith('ExecutionStarted.json.gz') ? inputOf(full) : full;
  }
}

function inputOf(startMessage: string): string | null {
  const message = readClientMessage(startMessage);
  return 'body' in message && message.body.EventType === 'ExecutionStarted' ? message.body.Input : null;
}

function filterOf(query: InstanceQuery): string {
  const parts: string[] = [];
  if (query.idPrefix) {
    const from = toKey(query.idPrefix);
    const last = from.codePointAt(from.length - 1) ?? 0;
    const to = from.slice(0, -1) + String.fromCodePoint(last + 1);
    parts.push(odata`PartitionKey ge ${from} and PartitionKey lt ${to}`);
  }
  if (query.createdFrom) parts.push(odata`CreatedTime ge ${query.createdFrom}`);
  if (query.createdTo) parts.push(odata`CreatedTime le ${query.createdTo}`);
  if (query.statuses?.length) {
    parts.push(`(${query.statuses.map((status) => odata`RuntimeStatus eq ${status}`).join(' or ')})`);
  }
  return parts.length > 0 ? parts.join(' and ') : odata`RowKey eq ${''}`;
}

/** A page's token as the extension has it: the key of the next row as storage names it, and that of its partition. */
function fromContinuation(continuation: string | undefined): string | undefined {
  if (continuation === undefined) return undefined;
  const { nextPartitionKey, nextRowKey } = JSON.parse(Buffer.from(continuation, 'base64').toString()) as Continuation;
  return [nextPartitionKey, nextRowKey].join(' ').trim();
}

function toContinuation(token: string): string {
  const [nextPartitionKey = '', nextRowKey] = token.trim().split(' ');
  return Buffer.from(JSON.stringify({ nextPartitionKey, nextRowKey } satisfies Continuation)).toString('base64');
}

/** What the table SDK puts into its own tokens (base64 of JSON). */
interface Continuation {
  nextPartitionKey: string;
  nextRowKey?: string | undefined;
}

function toDate(value: unknown): Date | undefined {
  if (typeof value === 'string') return new Date(value);
  return value instanceof Date ? value : undefined;
}
