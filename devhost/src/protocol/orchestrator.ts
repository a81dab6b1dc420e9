import type { TypedData } from '../app/core-types.js';
import { messageOf } from '../log.js';
import { withoutCredentials } from './credentials.js';
import { EVENT_NUMBERS, type ExecutionStarted, type HistoryEvent, jsonValue } from './history.js';

/** The numbers of the SDK's actions. */
export const ActionType = {
  CallActivity: 0,
  CallActivityWithRetry: 1,
  CallSubOrchestrator: 2,
  CallSubOrchestratorWithRetry: 3,
  ContinueAsNew: 4,
  CreateTimer: 5,
  WaitForExternalEvent: 6,
  WhenAny: 11,
  WhenAll: 12,
} as const;

const UNSUPPORTED: Record<number, string> = {
  7: 'callEntity',
  8: 'callHttp',
  9: 'signalEntity',
  10: 'scheduled signalEntity',
  13: 'lock',
  14: 'lock release',
};

export interface RetryOptions {
  firstRetryIntervalInMilliseconds: number;
  maxNumberOfAttempts: number;
  backoffCoefficient?: number;
  maxRetryIntervalInMilliseconds?: number;
  retryTimeoutInMilliseconds?: number;
}

export interface ActivityAction {
  actionType: 0 | 1;
  functionName: string;
  input?: unknown;
  retryOptions?: RetryOptions;
}

export interface SubOrchestratorAction {
  actionType: 2 | 3;
  functionName: string;
  instanceId?: string;
  input?: unknown;
  version?: string;
  retryOptions?: RetryOptions;
}

export interface TimerAction {
  actionType: 5;
  fireAt: string;
  isCanceled: boolean;
}

export interface CompoundAction {
  actionType: 11 | 12;
  compoundActions: Action[];
}

export type Action =
  | ActivityAction
  | SubOrchestratorAction
  | TimerAction
  | CompoundAction
  | { actionType: 4; input?: unknown }
  | { actionType: 6; externalEventName: string };

/** What the SDK says about a run of the orchestrator: every action since the execution began, and how it ended, if it did. */
export interface OrchestratorState {
  isDone: boolean;
  actions: Action[];
  output?: unknown;
  customStatus?: unknown;
  /** Set when the orchestrator threw. */
  error?: string;
}

/** The sentence for an action this host cannot carry out. */
export function unsupportedAction(actionType: number): string {
  return `The action ${UNSUPPORTED[actionType] ?? `number ${actionType}`} is not supported by this local host.`;
}

/** Behind this marker a failing orchestrator's error carries its state; in front of it stands the word "false". */
const STATE_MARKER = '\n\n$OutOfProcData$:';

/** Calls the orchestrator function of an execution with the trigger's JSON text. */
export type CallOrchestrator = (start: ExecutionStarted, payload: string) => Promise<TypedData | null | undefined>;

/** The orchestrator crashed outside the SDK's bookkeeping: there is no state to go by. */
export class OrchestratorCrash extends Error {}

/** Runs the orchestrator over `past` and `current` events and returns the state the SDK hands back. */
export async function callOrchestrator(
  call: CallOrchestrator,
  start: ExecutionStarted,
  past: readonly HistoryEvent[],
  current: readonly HistoryEvent[],
): Promise<OrchestratorState> {
  try {
    const answer = await call(start, triggerPayload(start, past, current));
    if (typeof answer?.json !== 'string') throw new Error('The orchestrator function returned no orchestrator state.');
    return parseState(answer.json);
  } catch (error) {
    const message = messageOf(error);
    const at = message.indexOf(STATE_MARKER);
    if (at < 0) throw new OrchestratorCrash(withoutCredentials(message), { cause: error });
    const state = parseState(message.slice(at + STATE_MARKER.length));
    // The SDK drops an empty error text from the state.
    return { ...state, error: withoutCredentials(state.error ?? '') };
  }
}

function parseState(text: string): OrchestratorState {
  const state = JSON.parse(text) as Omit<OrchestratorState, 'actions'> & { actions: Action[][] };
  return { ...state, actions: state.actions.flat() };
}

/** The orchestration trigger's data. "Millseconds" is spelled so in the protocol; replay schema V4 is offered. */
function triggerPayload(
  start: ExecutionStarted,
  past: readonly HistoryEvent[],
  current: readonly HistoryEvent[],
): string {
  const history = [...past.map(playedText), ...current.map((event) => JSON.stringify(wireEvent(event, false)))];
  const members = JSON.stringify({
    input: jsonValue(start.Input),
    instanceId: start.OrchestrationInstance.InstanceId,
    isReplaying: past.length > 0,
    parentInstanceId: start.ParentInstance?.OrchestrationInstance.InstanceId ?? null,
    sourceInstanceId: null,
    upperSchemaVersion: 1,
    upperSchemaVersionNew: 3,
    longRunningTimerIntervalDuration: '3.00:00:00',
    maximumShortTimerDuration: '6.00:00:00',
    defaultHttpAsyncRequestSleepTimeMillseconds: 30_000,
  });
  return `{"history":[${history.join(',')}],${members.slice(1)}`;
}

/** Every turn sends the whole past again; an event does not change once it is stored. */
const playedTexts = new WeakMap<HistoryEvent, string>();

function playedText(event: HistoryEvent): string {
  let text = playedTexts.get(event);
  if (text === undefined) {
    text = JSON.stringify(wireEvent(event, true));
    playedTexts.set(event, text);
  }
  return text;
}

/** Members that the extension sends and this host has no values for. */
const MORE: Partial<Record<HistoryEvent['EventType'], object>> = {
  ExecutionStarted: { Tags: null, Correlation: null, ScheduledStartTime: null, GenerateNewTrace: false },
  ExecutionCompleted: { FailureDetails: null },
  TaskScheduled: { Version: '', Tags: null, ParentTraceContext: null },
  SubOrchestrationInstanceCreated: { Tags: null },
  EventRaised: { ParentTraceContext: null },
};

function wireEvent(event: HistoryEvent, played: boolean): object {
  // Inputs are stored for the host's own recovery; the SDK never reads them.
  const input = event.EventType === 'TaskScheduled' || event.EventType === 'SubOrchestrationInstanceCreated';
  const version = 'Version' in event && event.Version === '' ? { Version: null } : {};
  const hidden = input ? { Input: null } : {};
  return {
    ...event,
    ...MORE[event.EventType],
    ...version,
    ...hidden,
    EventType: EVENT_NUMBERS[event.EventType],
    IsPlayed: played,
  };
}
