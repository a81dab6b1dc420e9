import type { Backend } from '../backend/backend.js';
import type { ExecutionStarted, HistoryEvent, SubOrchestrationCreated } from '../protocol/history.js';
import { isAnswerTo } from './execution.js';
import { find, type Found } from './recovery.js';

/**
 * Takes back the end of a failed instance and the failures that led to it: activities that failed run again, sub-orchestrations that
 * failed are rewound in turn, what succeeded stays. Returns the ids of all that must live again, children first. As in Azure the replay
 * fails an orchestrator that did something about a failure (caught it, retried it), because its history no longer shows why.
 *
 * Children come first and each row after its history, so that a rewind that is cut short can be repeated.
 */
export async function rewindHistory(backend: Backend, instanceId: string, reason: string): Promise<string[]> {
  const found = await find(backend, instanceId);
  const { row, start, stored } = found;
  if (!row || !start) return [];
  const rewound: string[] = [];
  const again = new Set<number>();
  for (const event of stored.events) {
    if (event.EventType === 'TaskFailed') again.add(event.TaskScheduledId);
    if (event.EventType !== 'SubOrchestrationInstanceFailed') continue;
    const created = stored.events.find(
      (each) => each.EventType === 'SubOrchestrationInstanceCreated' && each.EventId === event.TaskScheduledId,
    );
    if (created?.EventType !== 'SubOrchestrationInstanceCreated') continue;
    const ids = await rewindChild(backend, start, created, reason);
    if (ids) rewound.push(...ids);
    else again.add(created.EventId);
  }
  await rewrite(
    backend,
    found,
    stored.events.map((event) => (isUndone(event, again) ? undone(event, reason) : event)),
  );
  await backend.instances.put({ ...row, status: 'Pending', output: null, completedTime: undefined });
  return [...rewound, instanceId];
}

/** Undefined when there is nothing of the child that could go on: the parent makes it anew. */
async function rewindChild(
  backend: Backend,
  parent: ExecutionStarted,
  { InstanceId, EventId }: SubOrchestrationCreated & { EventId: number },
  reason: string,
): Promise<string[] | undefined> {
  const { row, start, end } = await find(backend, InstanceId);
  const link = { Name: parent.Name, OrchestrationInstance: parent.OrchestrationInstance, TaskScheduleId: EventId };
  if (!start || !isAnswerTo(start, link)) return undefined;
  // Without an end, a rewind was cut short before it came to the row.
  const isFailed = end ? end.OrchestrationStatus === 'Failed' : row?.status === 'Failed';
  if (isFailed) return await rewindHistory(backend, InstanceId, reason);
  if (end?.OrchestrationStatus !== 'Terminated') return [];
  await backend.histories.clear(InstanceId);
  return undefined;
}

/** @param again numbers of the tasks that are scheduled again. */
function isUndone(event: HistoryEvent, again: ReadonlySet<number>): boolean {
  if (event.EventType === 'TaskFailed' || event.EventType === 'SubOrchestrationInstanceFailed') return true;
  if (event.EventType === 'ExecutionCompleted') return event.OrchestrationStatus === 'Failed';
  const isCall = event.EventType === 'TaskScheduled' || event.EventType === 'SubOrchestrationInstanceCreated';
  return isCall && again.has(event.EventId);
}

/** As DurableTask.AzureStorage marks it. */
function undone({ EventType, EventId, Timestamp }: HistoryEvent, reason: string): HistoryEvent {
  return { EventType: 'GenericEvent', Reason: `Rewound: ${EventType}`, Data: reason, EventId, Timestamp };
}

/** The end is among the last rows: as long as that is there, the instance counts as failed. */
async function rewrite(backend: Backend, { row, start, stored }: Found, events: HistoryEvent[]): Promise<void> {
  const firstIndex = events.findIndex((event, index) => event !== stored.events[index]);
  if (!row || !start || firstIndex < 0) return;
  await backend.histories.append({
    instanceId: row.instanceId,
    executionId: start.OrchestrationInstance.ExecutionId,
    etag: stored.etag,
    firstIndex,
    events: events.slice(firstIndex),
    consumed: [],
  });
}
