import type { Backend, InstanceRow, StoredHistory } from '../backend/backend.js';
import {
  type ExecutionCompleted,
  type ExecutionStarted,
  type HistoryEvent,
  isTerminal,
  settledTask,
} from '../protocol/history.js';
import { newRow, startOf } from './execution.js';
import type { InstanceSeed } from './instance.js';
import type { Message } from './mailbox.js';

/** Everything storage holds about an instance. A crash can leave a row without history, or a history without its row. */
export interface Found {
  row: InstanceRow | undefined;
  stored: StoredHistory;
  /** Undefined when no turn was stored. */
  start: ExecutionStarted | undefined;
  end: ExecutionCompleted | undefined;
}

/** Reads an instance for its one writer. Pass the row when it is known already. */
export async function find(backend: Backend, instanceId: string, known?: InstanceRow): Promise<Found> {
  const row = known ?? (await backend.instances.get(instanceId));
  const stored = await withoutUntaken(backend, await backend.histories.load(instanceId));
  const start = stored.events.find((event) => event.EventType === 'ExecutionStarted');
  const end = stored.events.find((event) => event.EventType === 'ExecutionCompleted');
  if (!end || row?.status !== 'Pending' || row.executionId === stored.executionId) return { row, stored, start, end };
  // Another client has started an ended instance anew.
  await backend.histories.clear(instanceId);
  return await find(backend, instanceId, row);
}

/**
 * A host that died may have parked a message of a client that is still in its queue. It counts only when it is gone from there, or it
 * would be seen twice; if it cannot be removed, it comes again.
 */
async function withoutUntaken({ inbox }: Backend, stored: StoredHistory): Promise<StoredHistory> {
  if (!stored.parked.some(({ receipt }) => receipt)) return stored;
  const taken = await Promise.all(stored.parked.map(async ({ receipt }) => !receipt || (await inbox.remove(receipt))));
  return { ...stored, parked: stored.parked.filter((_, index) => taken[index]) };
}

/** The row that the history of an ended instance implies. */
export function endedRow(found: Found, start: ExecutionStarted, end: ExecutionCompleted): InstanceRow {
  const completedTime = new Date(found.stored.events.at(-1)?.Timestamp ?? Date.now());
  return { ...rowOf(found, start), status: end.OrchestrationStatus, output: end.Result, completedTime };
}

/** What brings an instance back that has not ended; undefined when storage knows nothing of it. */
export function seedOf(found: Found): InstanceSeed | undefined {
  const { row, stored } = found;
  const { etag, events: history } = stored;
  const start = found.start ?? (row && startOf(row));
  if (!start) return undefined;
  if (row && !found.start) return { row, start, history: [], etag, hasRow: true };
  const status = isSuspended(history) ? 'Suspended' : 'Running';
  // A row that belongs to an earlier execution, or to an ended instance of the same id, is written whole.
  const hasRow = row?.executionId === start.OrchestrationInstance.ExecutionId && !isTerminal(row.status);
  return { row: { ...rowOf(found, start), status }, start, history, etag, hasRow };
}

/** What a revived instance has still to be told. One that was rewound waits for nothing: without a message it would never move again. */
export function messagesFor({ row, stored, start }: Found): Message[] {
  if (row && !start) return [{ body: startOf(row) }, ...stored.parked];
  const mark = stored.events.findLast((event) => event.EventType === 'GenericEvent');
  const isCalled = stored.parked.some(({ body }) => body.EventType === 'GenericEvent');
  if (row?.status !== 'Pending' || !mark || isCalled) return stored.parked;
  const { EventType, Data } = mark;
  return [{ body: { EventType, ...(Data === undefined ? {} : { Data }) } }, ...stored.parked];
}

/** The numbers of the tasks whose outcome is parked already: they must not run again. */
export function answeredTasks({ stored }: Found): Set<number | undefined> {
  const { executionId, parked } = stored;
  return new Set(parked.filter((each) => each.executionId === executionId).map(({ body }) => settledTask(body)));
}

function rowOf({ row }: Found, start: ExecutionStarted): InstanceRow {
  const { Input: input, ParentTraceContext: parentTraceContext } = start;
  const { ExecutionId: executionId } = start.OrchestrationInstance;
  return { ...(row ?? newRow(start)), executionId, input, parentTraceContext };
}

function isSuspended(events: readonly HistoryEvent[]): boolean {
  const last = events.findLast(
    (event) => event.EventType === 'ExecutionSuspended' || event.EventType === 'ExecutionResumed',
  );
  return last?.EventType === 'ExecutionSuspended';
}

/** True for an instance whose client wants it to begin later. */
export function isLater(row: Pick<InstanceRow, 'startAt' | 'status'> | undefined): boolean {
  return row?.startAt !== undefined && row.status === 'Pending' && row.startAt.getTime() > Date.now();
}
