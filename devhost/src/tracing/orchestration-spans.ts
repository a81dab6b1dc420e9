import {
  type EventRaised,
  type ExecutionStarted,
  type HistoryEvent,
  type ParentTraceContext,
  type ScheduledEvent,
  settledTask,
} from '../protocol/history.js';
import type { Span } from './spans.js';
import {
  beginTrace,
  derivedId,
  newSpanId,
  parseTraceParent,
  type TraceContext,
  traceParentOf,
} from './trace-context.js';

/*
 * The spans that the Durable extension reports with distributed tracing V2: names, kinds, parents, times and dimensions are those of
 * DurableTask.Core's TraceHelper.cs, but for error texts, which may hold secrets. Ids are random there; here they are derived from
 * instance, execution and task number, so that what is done again after a crash is the same span. As there, all executions of an
 * instance are one span.
 */

/** When something began and ended, ISO 8601. */
export interface Times {
  start: string;
  end: string;
}

/** The trace of an instance that a client starts: the client's, or a new one. The orchestration hangs below the span of its creation. */
export function createdTrace(
  caller: TraceContext | undefined,
  instanceId: string,
  executionId: string,
): ParentTraceContext {
  const spanId = derivedId(16, 'create_orchestration', instanceId, executionId);
  return kept({ ...(caller ?? beginTrace()), spanId });
}

/** The trace of a sub-orchestration: it hangs below the span of its parent's call. */
export function childTrace(parent: ExecutionStarted, taskId: number): ParentTraceContext {
  return kept(taskTrace(parent, taskId, 'client'));
}

/** What an execution that ends by ContinueAsNew hands on: the span goes on, and began at `time` if no earlier one has said so. */
export function continuedTrace(start: ExecutionStarted, time: string): ParentTraceContext | null {
  const context = start.ParentTraceContext;
  if (!context) return null;
  const { spanId: SpanId } = orchestrationTrace(start);
  return { ...context, SpanId, ActivityStartTime: context.ActivityStartTime ?? time };
}

/** The span of an orchestration, which all its invocations get. One that was stored without a trace has a trace of its own. */
export function orchestrationTrace(start: ExecutionStarted): TraceContext {
  const { InstanceId, ExecutionId } = start.OrchestrationInstance;
  const above = traceAbove(start);
  const kind = 'orchestration';
  if (above)
    return { ...above, spanId: start.ParentTraceContext?.SpanId ?? derivedId(16, kind, InstanceId, ExecutionId) };
  const traceId = derivedId(32, kind, InstanceId);
  return { traceId, spanId: derivedId(16, kind, InstanceId), sampled: true, state: '' };
}

/** The span of a task: of the call on the client's side, of the activity that runs on the server's. */
export function taskTrace(start: ExecutionStarted, taskId: number, side: 'client' | 'server'): TraceContext {
  const { InstanceId, ExecutionId } = start.OrchestrationInstance;
  return { ...orchestrationTrace(start), spanId: derivedId(16, side, InstanceId, ExecutionId, taskId) };
}

/** The creation of an instance below what its client was doing. */
export function createdSpan(
  start: ExecutionStarted,
  caller: TraceContext | undefined,
  times: Times,
  ok: boolean,
): Span {
  const { InstanceId, ExecutionId } = start.OrchestrationInstance;
  return {
    ...placed(traceAbove(start) ?? beginTrace(), caller),
    name: named('create_orchestration', start),
    kind: 'client',
    ...times,
    ok,
    dimensions: { ...about('orchestration', start, InstanceId), 'durabletask.task.execution_id': ExecutionId },
  };
}

/** An event that a client sends, below what the client was doing. Without that it has a trace of its own, whoever gets it. */
export function raisedSpan(
  { Name }: EventRaised,
  instanceId: string,
  caller: TraceContext | undefined,
  times: Times,
): Span {
  return {
    ...placed(caller ? { ...caller, spanId: newSpanId() } : beginTrace(), caller),
    name: `orchestration_event:${Name}`,
    kind: 'client',
    ...times,
    ok: true,
    dimensions: {
      'durabletask.type': 'event',
      'durabletask.task.name': Name,
      'durabletask.event.target_instance_id': instanceId,
    },
  };
}

/** One run of an activity. */
export function activitySpan(start: ExecutionStarted, task: ScheduledEvent, times: Times, ok: boolean): Span {
  const { EventId } = task;
  const place = placed(taskTrace(start, EventId, 'server'), taskTrace(start, EventId, 'client'));
  return { ...place, ...described(start, task), kind: 'server', ...times, ok };
}

/**
 * What ends with the events of a turn: calls, timers, the orchestration itself. `began` is when its execution did; `open` are the tasks
 * that it was waiting for.
 */
export function turnSpans(
  start: ExecutionStarted,
  began: string,
  events: readonly HistoryEvent[],
  open: ReadonlyMap<number, ScheduledEvent>,
): Span[] {
  const spans: Span[] = [];
  for (const event of events) {
    const task = open.get(settledTask(event) ?? -1);
    if (event.EventType === 'ExecutionCompleted') {
      const times = { start: start.ParentTraceContext?.ActivityStartTime ?? began, end: event.Timestamp };
      spans.push(orchestrationSpan(start, times, event.OrchestrationStatus));
    } else if (task) {
      const place = placed(taskTrace(start, task.EventId, 'client'), orchestrationTrace(start));
      const ok = event.EventType !== 'TaskFailed' && event.EventType !== 'SubOrchestrationInstanceFailed';
      spans.push({ ...place, ...described(start, task), start: task.Timestamp, end: event.Timestamp, ok });
    }
  }
  return spans;
}

function orchestrationSpan(start: ExecutionStarted, times: Times, status: string): Span {
  const { InstanceId } = start.OrchestrationInstance;
  return {
    ...placed(orchestrationTrace(start), traceAbove(start)),
    name: named('orchestration', start),
    kind: 'server',
    ...times,
    ok: status === 'Completed',
    dimensions: { ...about('orchestration', start, InstanceId), 'durabletask.task.status': status },
  };
}

/** Names the instance that waits for the task, also where the task is another instance. */
function described(start: ExecutionStarted, task: ScheduledEvent): Pick<Span, 'name' | 'kind' | 'dimensions'> {
  const { InstanceId } = start.OrchestrationInstance;
  const number = { 'durabletask.task.task_id': String(task.EventId) };
  if (task.EventType === 'TimerCreated') {
    const dimensions = { ...about('timer', start, InstanceId), ...number, 'durabletask.fire_at': task.FireAt };
    return { name: `orchestration:${start.Name}:timer`, kind: 'internal', dimensions };
  }
  if (task.EventType === 'SubOrchestrationInstanceCreated')
    return { name: named('orchestration', task), kind: 'client', dimensions: about('orchestration', task, InstanceId) };
  const dimensions = { ...about('activity', task, InstanceId), ...number };
  return { name: named('activity', task), kind: 'client', dimensions };
}

function placed(
  { traceId, spanId }: TraceContext,
  above: TraceContext | undefined,
): Pick<Span, 'type' | 'role' | 'traceId' | 'id' | 'parentId'> {
  return { type: 'span', role: 'host', traceId, id: spanId, parentId: above?.spanId };
}

interface Named {
  Name: string;
  Version?: string;
}

function named(what: string, { Name, Version }: Named): string {
  return Version ? `${what}:${Name}@(${Version})` : `${what}:${Name}`;
}

function about(type: string, { Name, Version }: Named, instanceId: string): Record<string, string> {
  return {
    'durabletask.type': type,
    'durabletask.task.name': Name,
    'durabletask.task.instance_id': instanceId,
    ...(Version && type !== 'timer' ? { 'durabletask.task.version': Version } : {}),
  };
}

/** The span above an orchestration's own. */
function traceAbove({ ParentTraceContext: context }: ExecutionStarted): TraceContext | undefined {
  return context ? parseTraceParent(context.TraceParent, context.TraceState) : undefined;
}

function kept(context: TraceContext): ParentTraceContext {
  return { TraceParent: traceParentOf(context), TraceState: context.state === '' ? null : context.state };
}
