import { WorkerFault } from '../app/invoker.js';
import {
  type EventBody,
  type ExecutionCompleted,
  type ExecutionStarted,
  type HistoryEvent,
  isScheduled,
  jsonText,
  type MessageBody,
  type ScheduledEvent,
} from '../protocol/history.js';
import {
  type CallOrchestrator,
  callOrchestrator,
  OrchestratorCrash,
  type OrchestratorState,
} from '../protocol/orchestrator.js';
import { type Warn, warnOfCalls, warnOfLength, warnOfMessages, warnOfText } from './diagnostics.js';
import { type ContinuedAsNew, replay, type ReplayEnd, type ReplayRequest } from './replay.js';
import { OrchestrationFault } from './tasks.js';

/** Durable extension behaviour: a custom status has at most 16 KB as UTF-16. */
const MAX_CUSTOM_STATUS = 8192;

export interface TurnRequest {
  start: ExecutionStarted;
  past: readonly HistoryEvent[];
  messages: readonly MessageBody[];
  call: CallOrchestrator;
  isKnown: ReplayRequest['isKnown'];
  strict: ReplayRequest['strict'];
  warn: Warn;
}

export interface Turn {
  /** Everything this turn adds to the history, in order. */
  events: HistoryEvent[];
  scheduled: ScheduledEvent[];
  /** Numbers of the tasks still open. */
  open: Set<number>;
  /** JSON text; null when the orchestrator has none, undefined when its run tells nothing. */
  customStatus: string | null | undefined;
  end: ExecutionCompleted | ContinuedAsNew | undefined;
}

/** Runs one turn of an execution: new messages in, new work or an end out. Touches no storage. */
export async function runTurn(request: TurnRequest): Promise<Turn> {
  const began = timeAfter(request.past.findLast(({ EventType }) => EventType === 'OrchestratorCompleted')?.Timestamp);
  const stamp = (body: EventBody, id = -1): HistoryEvent => ({ ...body, EventId: id, Timestamp: timeAfter(began) });
  const events: HistoryEvent[] = [{ EventType: 'OrchestratorStarted', EventId: -1, Timestamp: began }];
  for (const body of request.messages) events.push({ Timestamp: began, ...body, EventId: -1 });
  const turn: Turn = { events, scheduled: [], open: new Set(), customStatus: undefined, end: undefined };

  const termination = request.messages.find((message) => message.EventType === 'ExecutionTerminated');
  if (termination)
    turn.end = { EventType: 'ExecutionCompleted', OrchestrationStatus: 'Terminated', Result: termination.Input };
  else await replayInto(turn, request, stamp);

  if (turn.end && 'EventType' in turn.end) turn.events.push(stamp(turn.end, nextNumber([...request.past, ...events])));
  turn.events.push(stamp({ EventType: 'OrchestratorCompleted' }));
  warnOf(turn, request);
  return turn;
}

function warnOf(
  { events, scheduled, customStatus: status, end }: Turn,
  { start, past, messages, warn }: TurnRequest,
): void {
  warnOfMessages(messages, past, warn);
  warnOfCalls(scheduled, start.OrchestrationInstance.InstanceId, warn);
  warnOfText('Its custom status', status, warn);
  if (end && 'EventType' in end) warnOfText('Its output', end.Result, warn);
  warnOfLength(past.length + events.length, warn);
}

async function replayInto(
  turn: Turn,
  request: TurnRequest,
  stamp: (body: EventBody, id: number) => HistoryEvent,
): Promise<void> {
  try {
    const state = await callOrchestrator(request.call, request.start, request.past, turn.events);
    turn.customStatus = customStatus(state);
    const { isKnown, strict, warn, start } = request;
    const { ExecutionId: executionId } = start.OrchestrationInstance;
    const history = [...request.past, ...turn.events];
    const { scheduled, open, end } = replay({ history, state, executionId, isKnown, strict, warn });
    turn.open = open;
    turn.end = end && ended(end, start.Name);
    for (const { id, body } of scheduled) {
      const event = stamp(body, id);
      turn.events.push(event);
      if (isScheduled(event)) turn.scheduled.push(event);
    }
  } catch (error) {
    if (!(error instanceof OrchestrationFault) && !(error instanceof OrchestratorCrash)) throw error;
    const isLost = error.cause instanceof WorkerFault;
    turn.end = isLost && request.strict ? lost(request, error.message) : failed(request.start.Name, error.message);
  }
}

function ended(end: ReplayEnd, name: string): Turn['end'] {
  if (end.kind === 'failed') return failed(name, end.error);
  if (end.kind === 'continuedAsNew') return end;
  const result = jsonText(end.output ?? null);
  return { EventType: 'ExecutionCompleted', OrchestrationStatus: 'Completed', Result: result };
}

function failed(name: string, error: string): ExecutionCompleted {
  const result = `Orchestrator function '${name}' failed: ${error}`;
  return { EventType: 'ExecutionCompleted', OrchestrationStatus: 'Failed', Result: result };
}

/** Azure takes what a lost worker answered, nothing, for the answer of an orchestrator that was changed (DurableTask.Core). */
function lost({ start, past }: TurnRequest, error: string): ExecutionCompleted {
  const first = past.find((event) => isScheduled(event));
  if (!first) return failed(start.Name, error);
  const task =
    first.EventType === 'TimerCreated'
      ? `a timer task with sequence number ${first.EventId}`
      : `${first.EventType === 'TaskScheduled' ? 'an activity' : 'a sub-orchestration'} task with sequence ID ${first.EventId} and name '${first.Name}' (version '${'Version' in first ? first.Version : ''}')`;
  const result = `Non-Deterministic workflow detected: A previous execution of this orchestration scheduled ${task}, but the current replay execution hasn't (yet?) scheduled this task. Was a change made to the orchestrator code after this instance had already started running?`;
  return { EventType: 'ExecutionCompleted', OrchestrationStatus: 'Failed', Result: result };
}

/** The SDK leaves out a status that was set to null, so that one that is not there clears an earlier one. */
function customStatus(state: OrchestratorState): string | null {
  if (state.customStatus === undefined) return null;
  const text = jsonText(state.customStatus);
  if (text.length > MAX_CUSTOM_STATUS) {
    throw new OrchestrationFault(
      `The custom status is ${text.length} characters long; at most ${MAX_CUSTOM_STATUS} are allowed.`,
    );
  }
  return text;
}

/** As in DurableTask the end takes the next number, as if it were a task. */
function nextNumber(history: readonly HistoryEvent[]): number {
  return history.filter((event) => isScheduled(event)).length;
}

/** The time of a turn never lies before an earlier one, whatever the system clock does. */
function timeAfter(earlier = ''): string {
  const now = new Date().toISOString();
  return now > earlier ? now : earlier;
}
