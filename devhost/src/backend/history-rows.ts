import type { TableTransaction } from '@azure/data-tables';
import { type HistoryEvent, isScheduled } from '../protocol/history.js';
import type { LargePayloads } from './cells.js';

export const SENTINEL = 'sentinel';
/** A transaction takes 100 rows; one of them is the sentinel. */
const MAX_ROWS = 99;
/** A transaction takes 4 MiB, and texts are sent as UTF-8 inside of JSON. */
const MAX_BATCH_CHARACTERS = 1_500_000;

export interface EventEntity extends Record<string, unknown> {
  partitionKey: string;
  rowKey: string;
}

const OBJECTS = ['OrchestrationInstance', 'ParentInstance', 'ParentTraceContext', 'FailureDetails'];
const LONG = ['Name', 'Input', 'Result', 'Reason', 'Details', 'FailureDetails'];
const OWN = new Set([
  'etag',
  'partitionKey',
  'rowKey',
  'timestamp',
  'ExecutionId',
  'IsPlayed',
  '_Timestamp',
  'GenerateNewTrace',
]);

/** Members that DurableTask's events have and ours have not: as columns they hold the text `null`. */
const NO_VALUE: Partial<Record<HistoryEvent['EventType'], string[]>> = {
  ExecutionStarted: ['Tags'],
  TaskScheduled: ['Tags', 'ParentTraceContext'],
  SubOrchestrationInstanceCreated: ['Tags'],
  ExecutionCompleted: ['FailureDetails'],
  EventRaised: ['ParentTraceContext'],
};

/** DurableTask sets this on the messages that a turn takes in, not on the events that it makes itself. */
const isMessage = (event: HistoryEvent) =>
  !isScheduled(event) &&
  !['OrchestratorStarted', 'OrchestratorCompleted', 'ExecutionCompleted'].includes(event.EventType);

/** The row of an event in `<Hub>History`: scalar members as columns, object members as JSON text even when null, other nulls omitted. */
export async function toEntity(
  event: HistoryEvent,
  keys: { partitionKey: string; rowKey: string; executionId: string },
  payloads: LargePayloads,
): Promise<EventEntity> {
  const { Timestamp, ...members } = event;
  const entity: EventEntity = {
    partitionKey: keys.partitionKey,
    rowKey: keys.rowKey,
    ExecutionId: keys.executionId,
    IsPlayed: isMessage(event),
    _Timestamp: new Date(Timestamp),
    ...(event.EventType === 'ExecutionStarted' ? { GenerateNewTrace: false } : {}),
    ...(event.EventType === 'TaskScheduled' ? { Version: '' } : {}),
  };
  for (const name of NO_VALUE[event.EventType] ?? []) entity[name] = 'null';
  for (const [name, value] of Object.entries(members)) {
    if (value === undefined || (value === null && !OBJECTS.includes(name))) continue;
    if (name === 'Version' && value === '') continue;
    const text = OBJECTS.includes(name) ? JSON.stringify(value) : value;
    if (LONG.includes(name) && typeof text === 'string' && payloads.isLarge(text)) {
      entity[name] = '';
      entity[`${name}BlobName`] = await payloads.put(keys.partitionKey, keys.rowKey, event.EventType, name, text);
    } else {
      entity[name] = name === 'FireAt' ? new Date(String(text)) : text;
    }
  }
  return entity;
}

/** Reads a row back; the members that null omitted are put back where the SDK insists on them. */
export async function toEvent(entity: Record<string, unknown>, payloads: LargePayloads): Promise<HistoryEvent> {
  const event: Record<string, unknown> = { Timestamp: isoTime(entity['_Timestamp']) };
  const type = entity['EventType'] as HistoryEvent['EventType'];
  const skipped = [...(NO_VALUE[type] ?? []), ...(type === 'TaskScheduled' ? ['Version'] : [])];
  for (const [name, value] of Object.entries(entity)) {
    if (OWN.has(name) || skipped.includes(name) || name.startsWith('odata') || name.endsWith('BlobName')) continue;
    const blob = entity[`${name}BlobName`];
    const full = typeof blob === 'string' ? await payloads.get(blob) : value;
    if (name === 'FireAt') event[name] = isoTime(full);
    else event[name] = OBJECTS.includes(name) ? JSON.parse(String(full)) : full;
  }
  for (const name of NULLABLE[type] ?? []) event[name] ??= null;
  if (type === 'ExecutionStarted' || type === 'SubOrchestrationInstanceCreated') event['Version'] ??= '';
  if (type === 'GenericEvent') return genericEvent(event);
  return event as HistoryEvent & Record<string, unknown>;
}

/** A rewind by DurableTask.AzureStorage turns rows of other events into these and leaves their columns. */
function genericEvent({ EventId, Timestamp, Data, Reason }: Record<string, unknown>): HistoryEvent {
  const told = { ...(typeof Data === 'string' ? { Data } : {}), ...(typeof Reason === 'string' ? { Reason } : {}) };
  return { EventType: 'GenericEvent', EventId: Number(EventId), Timestamp: String(Timestamp), ...told };
}

const NULLABLE: Partial<Record<HistoryEvent['EventType'], string[]>> = {
  ExecutionStarted: ['ParentInstance', 'ParentTraceContext', 'Input', 'Generation'],
  SubOrchestrationInstanceCreated: ['Input'],
  TaskFailed: ['FailureDetails'],
  SubOrchestrationInstanceFailed: ['FailureDetails'],
};

function isoTime(value: unknown): string {
  return (value instanceof Date ? value : new Date(String(value))).toISOString();
}

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
