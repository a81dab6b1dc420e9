/** The numbers by which the durable-functions SDK knows the events; tables spell the names. */
export const EVENT_NUMBERS = {
  ExecutionStarted: 0,
  ExecutionCompleted: 1,
  ExecutionTerminated: 3,
  TaskScheduled: 4,
  TaskCompleted: 5,
  TaskFailed: 6,
  SubOrchestrationInstanceCreated: 7,
  SubOrchestrationInstanceCompleted: 8,
  SubOrchestrationInstanceFailed: 9,
  TimerCreated: 10,
  TimerFired: 11,
  OrchestratorStarted: 12,
  OrchestratorCompleted: 13,
  EventRaised: 15,
  GenericEvent: 17,
  ExecutionSuspended: 19,
  ExecutionResumed: 20,
} as const;

export type RuntimeStatus =
  'Pending' | 'Running' | 'Completed' | 'ContinuedAsNew' | 'Failed' | 'Canceled' | 'Terminated' | 'Suspended';

/** Names the parent's execution and the task in it that a child answers. */
export interface ParentLink {
  Name: string;
  OrchestrationInstance: { InstanceId: string; ExecutionId: string };
  TaskScheduleId: number;
  Version?: string | null;
}

/** Where an orchestration's span hangs in a trace (DurableTask's DistributedTraceContext). */
export interface ParentTraceContext {
  /** The span above it, as the header `traceparent` names spans. */
  TraceParent: string;
  TraceState: string | null;
  /** Its own span and the time when that began, once ContinueAsNew has ended an execution: they stay the same. */
  SpanId?: string;
  ActivityStartTime?: string;
}

export interface ExecutionStarted {
  EventType: 'ExecutionStarted';
  OrchestrationInstance: { InstanceId: string; ExecutionId: string };
  ParentInstance: ParentLink | null;
  /** Null in what was stored by a host that kept none. */
  ParentTraceContext: ParentTraceContext | null;
  Name: string;
  Version: string;
  Input: string | null;
  /** How often the id of a top-level instance was used before; null in executions that a parent or ContinueAsNew began. */
  Generation: number | null;
}

export interface TaskScheduled {
  EventType: 'TaskScheduled';
  Name: string;
  /** A JSON array with one element, the activity's input. */
  Input: string;
}

export interface SubOrchestrationCreated {
  EventType: 'SubOrchestrationInstanceCreated';
  Name: string;
  Version: string;
  InstanceId: string;
  Input: string | null;
}

export interface TimerCreated {
  EventType: 'TimerCreated';
  FireAt: string;
}

export interface FailureDetails {
  ErrorType: string;
  ErrorMessage: string;
  StackTrace: string | null;
  IsNonRetriable: boolean;
  Properties: Record<string, unknown> | null;
  InnerFailure: null;
}

interface Failed {
  TaskScheduledId: number;
  Reason: string;
  /** Always text: the SDK cannot read a failure without it and would fail the parent with an internal error. */
  Details: string;
  FailureDetails: FailureDetails | null;
}

export interface EventRaised {
  EventType: 'EventRaised';
  Name: string;
  Input: string;
}

/** Changes nothing: it wakes an instance that was rewound, and stands in its history where a failure was. */
export interface GenericEvent {
  EventType: 'GenericEvent';
  /** Why the instance was rewound. */
  Data?: string;
  /** What stood in its place: `Rewound: TaskFailed`. */
  Reason?: string;
}

export interface ExecutionCompleted {
  EventType: 'ExecutionCompleted';
  OrchestrationStatus: 'Completed' | 'Failed' | 'Terminated';
  Result: string;
}

/** Events that schedule something: their EventId is the task's number. */
export type ScheduledBody = TaskScheduled | SubOrchestrationCreated | TimerCreated;

/** Events that settle a task. */
export type CompletionBody =
  | { EventType: 'TaskCompleted' | 'SubOrchestrationInstanceCompleted'; TaskScheduledId: number; Result: string }
  | ({ EventType: 'TaskFailed' | 'SubOrchestrationInstanceFailed' } & Failed)
  | { EventType: 'TimerFired'; TimerId: number; FireAt: string };

/** What reaches an instance from outside a turn. */
export type MessageBody = (
  | ExecutionStarted
  | CompletionBody
  | EventRaised
  | GenericEvent
  | { EventType: 'ExecutionTerminated'; Input: string }
  | { EventType: 'ExecutionSuspended' | 'ExecutionResumed'; Reason: string }
) & {
  /** When it came to be; without it, the turn that takes it in says so. */
  Timestamp?: string;
};

export type EventBody =
  MessageBody | ScheduledBody | ExecutionCompleted | { EventType: 'OrchestratorStarted' | 'OrchestratorCompleted' };

/** An event of an instance's history: a body with its number (-1 unless it schedules something) and its time. */
export type HistoryEvent = EventBody & { EventId: number; Timestamp: string };
export type ScheduledEvent = ScheduledBody & { EventId: number; Timestamp: string };

/** The number of the task that an event settles, or undefined when it settles none. */
export function settledTask(event: EventBody): number | undefined {
  if ('TaskScheduledId' in event) return event.TaskScheduledId;
  return event.EventType === 'TimerFired' ? event.TimerId : undefined;
}

export function isScheduled(event: HistoryEvent): event is ScheduledEvent {
  return (
    event.EventType === 'TaskScheduled' ||
    event.EventType === 'SubOrchestrationInstanceCreated' ||
    event.EventType === 'TimerCreated'
  );
}

export function isTerminal(status: RuntimeStatus): boolean {
  return status === 'Completed' || status === 'Failed' || status === 'Terminated' || status === 'Canceled';
}

/** JSON text as Newtonsoft.Json writes it: without line separators, which JSON allows but JavaScript and Azurite once did not. */
export function jsonText(value: unknown): string {
  return escaped(JSON.stringify(value));
}

/** The same for what is JSON text already. */
export function escaped(json: string): string {
  return json.replaceAll(/[\u0085\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The value of a stored text; one that is not JSON stands for itself (Durable extension behaviour). */
export function jsonValue(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
