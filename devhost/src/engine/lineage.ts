import { randomUUID } from 'node:crypto';
import type { InstanceRow } from '../store/instance-table.js';
import type {
  CompletionBody,
  ExecutionCompleted,
  ExecutionStarted,
  ParentLink,
  SubOrchestrationCreated,
} from './history-events.js';
import type { Instance } from './instance.js';
import type { Message } from './mailbox.js';
import type { Turn } from './turn.js';

/** 32 hex digits, as the extension makes instance and execution ids. */
export function newId(): string {
  return randomUUID().replaceAll('-', '');
}

/** The start of the child that a parent's history asks for. */
export function childStart(parent: Instance, event: SubOrchestrationCreated & { EventId: number }): ExecutionStarted {
  return {
    EventType: 'ExecutionStarted',
    OrchestrationInstance: { InstanceId: event.InstanceId, ExecutionId: newId() },
    ParentInstance: {
      Name: parent.row.name,
      OrchestrationInstance: { InstanceId: parent.id, ExecutionId: parent.row.executionId },
      TaskScheduleId: event.EventId,
    },
    Name: event.Name,
    Version: event.Version,
    Input: event.Input,
    Generation: 0,
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
  const TaskScheduledId = parent.TaskScheduleId;
  if (end.OrchestrationStatus === 'Completed') {
    return { EventType: 'SubOrchestrationInstanceCompleted', TaskScheduledId, Result: end.Result };
  }
  const terminated = end.OrchestrationStatus === 'Terminated';
  const Reason = terminated ? `Sub-orchestration '${name}' was terminated: ${end.Result}` : end.Result;
  const Details = `Message: ${Reason}, StackTrace: `;
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
  };
}

/** What a turn changes in the row. As in Azure the reason of a suspend or resume stands in the output meanwhile. */
export function rowAfterTurn(
  row: InstanceRow,
  turn: Turn,
  messages: readonly Message[],
  end: ExecutionCompleted | undefined,
  suspended: boolean,
): Partial<InstanceRow> {
  const lastUpdatedTime = new Date();
  const reasons = messages.flatMap(({ body }) => {
    return body.EventType === 'ExecutionSuspended' || body.EventType === 'ExecutionResumed' ? [body.Reason] : [];
  });
  return {
    lastUpdatedTime,
    customStatus: turn.customStatus ?? row.customStatus,
    status: end?.OrchestrationStatus ?? (suspended ? 'Suspended' : 'Running'),
    output: end?.Result ?? reasons.at(-1) ?? row.output,
    completedTime: end && lastUpdatedTime,
  };
}
