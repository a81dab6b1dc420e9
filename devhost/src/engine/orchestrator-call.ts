import type { TypedData } from '../app/core-types.js';
import { messageOf } from '../fault.js';
import type { Action, OrchestratorState } from './actions.js';
import { EVENT_NUMBERS, type ExecutionStarted, type HistoryEvent } from './history-events.js';

/** Behind this marker a failing orchestrator's error carries its state; in front of it stands the word "false". */
const STATE_MARKER = '\n\n$OutOfProcData$:';

/** Calls an orchestrator function with the trigger's JSON text. */
export type CallOrchestrator = (name: string, payload: string) => Promise<TypedData | null | undefined>;

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
    const answer = await call(start.Name, payload(start, past, current));
    if (typeof answer?.json !== 'string') throw new Error('The orchestrator function returned no orchestrator state.');
    return parseState(answer.json);
  } catch (error) {
    const message = messageOf(error);
    const at = message.indexOf(STATE_MARKER);
    if (at < 0) throw new OrchestratorCrash(message);
    const state = parseState(message.slice(at + STATE_MARKER.length));
    // The SDK drops an empty error text from the state.
    return { ...state, error: state.error ?? '' };
  }
}

function parseState(text: string): OrchestratorState {
  const state = JSON.parse(text) as Omit<OrchestratorState, 'actions'> & { actions: Action[][] };
  return { ...state, actions: state.actions.flat() };
}

/** The orchestration trigger's data. "Millseconds" is spelled so in the protocol; replay schema V3 is offered. */
function payload(start: ExecutionStarted, past: readonly HistoryEvent[], current: readonly HistoryEvent[]): string {
  return JSON.stringify({
    history: [...past.map((event) => wireEvent(event, true)), ...current.map((event) => wireEvent(event, false))],
    input: parseInput(start.Input),
    instanceId: start.OrchestrationInstance.InstanceId,
    isReplaying: past.length > 0,
    parentInstanceId: start.ParentInstance?.OrchestrationInstance.InstanceId ?? null,
    upperSchemaVersion: 1,
    upperSchemaVersionNew: 2,
    longRunningTimerIntervalDuration: '3.00:00:00',
    maximumShortTimerDuration: '6.00:00:00',
    defaultHttpAsyncRequestSleepTimeMillseconds: 30_000,
  });
}

function wireEvent(event: HistoryEvent, played: boolean): object {
  // Inputs are stored for the host's own recovery; the SDK never reads them.
  const input = event.EventType === 'TaskScheduled' || event.EventType === 'SubOrchestrationInstanceCreated';
  return { ...event, ...(input ? { Input: null } : {}), EventType: EVENT_NUMBERS[event.EventType], IsPlayed: played };
}

function parseInput(input: string | null): unknown {
  if (input === null) return null;
  try {
    return JSON.parse(input);
  } catch {
    return input;
  }
}
