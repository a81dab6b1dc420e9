import type { HistoryEvent } from '../engine/history-events.js';
import type { LargePayloads } from './large-payloads.js';

export interface EventEntity extends Record<string, unknown> {
  partitionKey: string;
  rowKey: string;
}

const OBJECTS = ['OrchestrationInstance', 'ParentInstance', 'FailureDetails'];
const LONG = ['Name', 'Input', 'Result', 'Reason', 'Details', 'FailureDetails'];
const OWN = new Set(['etag', 'partitionKey', 'rowKey', 'timestamp', 'ExecutionId', 'IsPlayed', '_Timestamp']);

/** The row of an event in `<Hub>History`: scalar members as columns, object members as JSON text, nulls omitted. */
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
    IsPlayed: true,
    _Timestamp: new Date(Timestamp),
  };
  for (const [name, value] of Object.entries(members)) {
    if (value === null || value === undefined) continue;
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
  for (const [name, value] of Object.entries(entity)) {
    if (OWN.has(name) || name.startsWith('odata') || name.endsWith('BlobName')) continue;
    const blob = entity[`${name}BlobName`];
    const full = typeof blob === 'string' ? await payloads.get(blob) : value;
    if (name === 'FireAt') event[name] = isoTime(full);
    else event[name] = OBJECTS.includes(name) ? JSON.parse(String(full)) : full;
  }
  for (const name of NULLABLE[String(event['EventType'])] ?? []) event[name] ??= null;
  return event as HistoryEvent & Record<string, unknown>;
}

const NULLABLE: Record<string, string[]> = {
  ExecutionStarted: ['ParentInstance', 'Input'],
  SubOrchestrationInstanceCreated: ['Input'],
  TaskFailed: ['FailureDetails'],
  SubOrchestrationInstanceFailed: ['FailureDetails'],
};

function isoTime(value: unknown): string {
  return (value instanceof Date ? value : new Date(String(value))).toISOString();
}
