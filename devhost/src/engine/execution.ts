import { randomUUID } from 'node:crypto';
import type { InstanceRow } from '../backend/backend.js';
import {
  type CompletionBody,
  type ExecutionCompleted,
  type ExecutionStarted,
  type HistoryEvent,
  isScheduled,
  jsonText,
  type MessageBody,
  type ParentLink,
  type ScheduledEvent,
  settledTask,
  type SubOrchestrationCreated,
} from '../protocol/history.js';
import { childTrace, continuedTrace } from '../tracing/orchestration-spans.js';
import type { ContinuedAsNew } from './replay.js';
import type { Turn } from './turn.js';

/** 32 hex digits, as the extension makes ids of instances and of most executions. */
export function newId(): string {
  return randomUUID().replaceAll('-', '');
}

/** One execution of an instance: ContinueAsNew replaces it by the next. */
export class Execution {
  readonly start: ExecutionStarted;
  readonly history: HistoryEvent[];
  #open: Map<number, ScheduledEvent>;

  constructor(start: ExecutionStarted, history: HistoryEvent[]) {
    this.start = start;
    this.history = history;
    this.#open = openTasks(history);
  }

  get id(): string {
    return this.start.OrchestrationInstance.ExecutionId;
  }

  /** Scheduled work without an outcome, by task number. */
  get open(): ReadonlyMap<number, ScheduledEvent> {
    return this.#open;
  }

  /** Takes in a turn that has been stored. Cancelled timers are no longer open, whatever the history says. */
  absorb(turn: Turn): void {
    this.history.push(...turn.events);
    const open = [...this.#open.values(), ...turn.scheduled].filter(({ EventId }) => turn.open.has(EventId));
    this.#open = new Map(open.map((event) => [event.EventId, event]));
  }

  /** When its first turn began, if `turn` comes next. */
  began(turn: Pick<Turn, 'events'>): string {
    return (this.history[0] ?? turn.events[0])?.Timestamp ?? new Date().toISOString();
  }

  /** The execution that ContinueAsNew asks for at the end of a turn: a new id and input, same parent and span. */
  next({ input }: ContinuedAsNew, turn: Turn): Execution {
    const { InstanceId } = this.start.OrchestrationInstance;
    return new Execution(
      {
        ...this.start,
        OrchestrationInstance: { InstanceId, ExecutionId: newId() },
        ParentTraceContext: continuedTrace(this.start, this.began(turn)),
        Input: jsonText(input ?? null),
        Generation: null,
      },
      [],
    );
  }
}

function openTasks(history: readonly HistoryEvent[]): Map<number, ScheduledEvent> {
  const open = new Map<number, ScheduledEvent>();
  for (const event of history) {
    const settled = settledTask(event);
    if (settled !== undefined) open.delete(settled);
    if (isScheduled(event)) open.set(event.EventId, event);
  }
  return open;
}

/** How an instance that no other one asked for begins, by its row. */
export function startOf(row: InstanceRow): ExecutionStarted & { Timestamp: string } {
  return {
    EventType: 'ExecutionStarted',
    OrchestrationInstance: { InstanceId: row.instanceId, ExecutionId: row.executionId },
    ParentInstance: null,
    ParentTraceContext: row.parentTraceContext,
    Name: row.name,
    Version: row.version,
    Input: row.input,
    Generation: row.generation,
    Timestamp: row.createdTime.toISOString(),
  };
}

/** How a child begins, and which task of which execution it answers. */
export type ChildStarted = ExecutionStarted & { ParentInstance: ParentLink };

export const isChild = (start: ExecutionStarted): start is ChildStarted => start.ParentInstance !== null;

/** The start of the child that a parent's history asks for. */
export function childStart(
  parent: ExecutionStarted,
  event: SubOrchestrationCreated & { EventId: number },
): ChildStarted {
  return {
    EventType: 'ExecutionStarted',
    OrchestrationInstance: { InstanceId: event.InstanceId, ExecutionId: newId() },
    ParentInstance: {
      Name: parent.Name,
      OrchestrationInstance: parent.OrchestrationInstance,
      TaskScheduleId: event.EventId,
      Version: parent.Version || null,
    },
    ParentTraceContext: childTrace(parent, event.EventId),
    Name: event.Name,
    Version: event.Version,
    Input: event.Input,
    Generation: null,
  };
}

/** True when the execution was started by exactly this task of this execution of the parent. */
export function isAnswerTo(start: ExecutionStarted, parent: ParentLink): boolean {
  const own = start.ParentInstance;
  return (
    own?.TaskScheduleId === parent.TaskScheduleId &&
    own.OrchestrationInstance.InstanceId === parent.OrchestrationInstance.InstanceId &&
    own.OrchestrationInstance.ExecutionId === parent.OrchestrationInstance.ExecutionId
  );
}

/** What the parent is told about a child's end. */
export function childOutcome(parent: ParentLink, name: string, end: ExecutionCompleted): CompletionBody {
  if (end.OrchestrationStatus === 'Completed') {
    const TaskScheduledId = parent.TaskScheduleId;
    return { EventType: 'SubOrchestrationInstanceCompleted', TaskScheduledId, Result: end.Result };
  }
  const terminated = end.OrchestrationStatus === 'Terminated';
  const reason = terminated ? `Sub-orchestration '${name}' was terminated: ${end.Result}` : end.Result;
  return childFailed(parent, reason, `Message: ${bareError(name, reason)}, StackTrace: `);
}

/** The orchestrator's own error, without the words that the extension puts before it. */
function bareError(name: string, reason: string): string {
  const prefix = `Orchestrator function '${name}' failed: `;
  return reason.startsWith(prefix) ? reason.slice(prefix.length) : reason;
}

/** What the parent is told when a child failed, or could not even be made. */
export function childFailed(parent: ParentLink, Reason: string, Details: string): CompletionBody {
  const TaskScheduledId = parent.TaskScheduleId;
  return { EventType: 'SubOrchestrationInstanceFailed', TaskScheduledId, Reason, Details, FailureDetails: null };
}

/** The row of an execution that begins now. */
export function newRow(start: ExecutionStarted): InstanceRow {
  const now = new Date();
  return {
    instanceId: start.OrchestrationInstance.InstanceId,
    name: start.Name,
    version: start.Version,
    executionId: start.OrchestrationInstance.ExecutionId,
    status: 'Pending',
    input: start.Input,
    output: null,
    customStatus: null,
    createdTime: now,
    lastUpdatedTime: now,
    completedTime: undefined,
    generation: start.Generation,
    parentInstanceId: start.ParentInstance?.OrchestrationInstance.InstanceId ?? null,
    parentTraceContext: start.ParentTraceContext,
  };
}

/** What a turn changes in the row. As in Azure the reason of a suspend or resume stands in the output meanwhile. */
export function rowAfterTurn(
  row: InstanceRow,
  turn: Turn,
  messages: readonly MessageBody[],
  end: ExecutionCompleted | undefined,
  suspended: boolean,
): Partial<InstanceRow> {
  const lastUpdatedTime = new Date();
  const reasons = messages.flatMap((body) => {
    return body.EventType === 'ExecutionSuspended' || body.EventType === 'ExecutionResumed' ? [body.Reason] : [];
  });
  return {
    lastUpdatedTime,
    customStatus: turn.customStatus === undefined ? row.customStatus : turn.customStatus,
    status: end?.OrchestrationStatus ?? (suspended ? 'Suspended' : 'Running'),
    output: end?.Result ?? reasons.at(-1) ?? row.output,
    completedTime: end && lastUpdatedTime,
  };
}

/** True when a turn changes nothing in the row but its times; that it runs at all is no news of a first turn either. */
export function isLittleNews(row: InstanceRow, changes: Partial<InstanceRow>, isFirstTurn: boolean): boolean {
  const { status, customStatus, output } = { ...row, ...changes };
  const isAsBefore = status === row.status || (status === 'Running' && row.status === 'Pending' && isFirstTurn);
  return isAsBefore && customStatus === row.customStatus && output === row.output;
}
