import { type HistoryEvent, isScheduled, jsonValue } from '../protocol/history.js';
import type { InstanceRow } from '../backend/backend.js';

/** An instance as the management API shows it: texts as JSON values, times without fractions of a second. */
export function statusBody(row: InstanceRow, showInput: boolean, historyEvents?: object[]): object {
  return {
    name: row.name,
    instanceId: row.instanceId,
    ...(row.parentInstanceId === null ? {} : { parentInstanceId: row.parentInstanceId }),
    runtimeStatus: row.status,
    input: showInput ? jsonValue(row.input) : null,
    customStatus: jsonValue(row.customStatus),
    output: jsonValue(row.output),
    createdTime: seconds(row.createdTime),
    lastUpdatedTime: seconds(row.lastUpdatedTime),
    ...(historyEvents ? { historyEvents } : {}),
  };
}

/**
 * The history as the management API shows it (Durable extension behaviour, DurableClient.cs): names instead of numbers,
 * turns left out, what scheduled a task folded into its completion.
 */
export function historyBody(events: readonly HistoryEvent[], showInput: boolean, showOutput: boolean): object[] {
  const scheduled = new Map<number, HistoryEvent>();
  const settled = new Set<number>();
  for (const event of events) {
    if (event.EventType === 'TaskScheduled' || event.EventType === 'SubOrchestrationInstanceCreated')
      scheduled.set(event.EventId, event);
    if ('TaskScheduledId' in event) settled.add(event.TaskScheduledId);
  }
  const shown = events.filter((event) => {
    const turn = event.EventType === 'OrchestratorStarted' || event.EventType === 'OrchestratorCompleted';
    return !turn && !(scheduled.has(event.EventId) && settled.has(event.EventId));
  });
  return shown.map((event) => {
    const cause = 'TaskScheduledId' in event ? scheduled.get(event.TaskScheduledId) : undefined;
    return historyItem(event, cause, showInput, showOutput);
  });
}

/** What the management API leaves out of events. */
const HIDDEN = [
  'EventId',
  'TaskScheduledId',
  'TimerId',
  'OrchestrationInstance',
  'ParentInstance',
  'ParentTraceContext',
  'Version',
];

/** Members that the events of the real host have and that say nothing here. */
const EMPTY: Partial<Record<HistoryEvent['EventType'], object>> = {
  ExecutionStarted: { Correlation: null, ParentTraceContext: null, ScheduledStartTime: null, GenerateNewTrace: false },
  ExecutionCompleted: { FailureDetails: null },
  TaskScheduled: { ParentTraceContext: null, Tags: null },
  SubOrchestrationInstanceCreated: { Tags: null },
  EventRaised: { ParentTraceContext: null },
};

/** An event, with what scheduled it folded in. Inputs stay JSON text, results are values, as the extension has them. */
function historyItem(
  event: HistoryEvent,
  cause: HistoryEvent | undefined,
  showInput: boolean,
  showOutput: boolean,
): object {
  const item: Record<string, unknown> = { ...event };
  for (const name of HIDDEN) delete item[name];
  Object.assign(item, EMPTY[event.EventType]);
  if (cause && isScheduled(cause) && 'Name' in cause) {
    Object.assign(item, { ScheduledTime: cause.Timestamp.replace('Z', '+00:00'), FunctionName: cause.Name });
    if ('InstanceId' in cause) item['InstanceId'] = cause.InstanceId;
    item['Input'] = cause.Input;
  }
  if (event.EventType === 'ExecutionStarted') {
    item['FunctionName'] = event.Name;
    delete item['Name'];
  }
  if (!showInput) delete item['Input'];
  if (!showOutput) delete item['Result'];
  else if (typeof item['Result'] === 'string') item['Result'] = jsonValue(item['Result']);
  return item;
}

function seconds(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}
