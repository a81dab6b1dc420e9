import type { OrchestrationHandler } from 'durable-functions';
import { onTestFinished, vi } from 'vitest';
import type { TypedData } from '../../src/app/core-types.js';
import type {
  ExecutionCompleted,
  ExecutionStarted,
  HistoryEvent,
  MessageBody,
  ScheduledEvent,
} from '../../src/protocol/history.js';
import { runTurn } from '../../src/engine/turn.js';
import { beginTrace } from '../../src/tracing/trace-context.js';
import { core, invoker } from './app-in-process.js';

const df = await import('durable-functions');
let registered = 0;

export interface Simulation {
  history: HistoryEvent[];
  end: ExecutionCompleted | undefined;
  warnings: string[];
}

export interface SimulationOptions {
  /** The outcome of the nth activity call; a thrown error fails it. */
  activity?: (name: string, input: unknown, nth: number) => unknown;
  /** Replaces the orchestrator from this turn on. */
  changed?: { fromTurn: number; orchestrator: OrchestrationHandler };
}

/** Runs an orchestrator with the real SDK against the engine's turns, without storage and on a clock that leaps to each timer. */
export async function simulate(
  orchestrator: OrchestrationHandler,
  options: SimulationOptions = {},
): Promise<Simulation> {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-01T00:00:00Z') });
  onTestFinished(() => void vi.useRealTimers());
  const names = [orchestrator, options.changed?.orchestrator].map((each) => each && register(each));
  const warnings: string[] = [];
  const history: HistoryEvent[] = [];
  const work: ScheduledEvent[] = [];
  let messages: MessageBody[] = [startOf(names[0] ?? '')];
  let calls = 0;
  for (let turnNumber = 1; turnNumber < 200; turnNumber += 1) {
    const changed = options.changed && turnNumber >= options.changed.fromTurn;
    const turn = await runTurn({
      start: startOf(names[0] ?? ''),
      past: history,
      messages,
      call: async (_, payload): Promise<TypedData | null | undefined> => {
        const target = core.functions.find('orchestrationTrigger', (changed ? names[1] : names[0]) ?? '');
        return target && (await invoker.invoke(target, { data: { string: payload }, trace: beginTrace() }));
      },
      isKnown: () => true,
      strict: false,
      warn: (message) => warnings.push(message),
    });
    history.push(...turn.events);
    work.push(...turn.scheduled);
    if (turn.end && 'EventType' in turn.end) return { history, end: turn.end, warnings };
    const next = takeNext(work, turn.open);
    if (!next) break;
    messages = [next.EventType === 'TimerCreated' ? fired(next) : outcome(next, options, calls++)];
  }
  return { history, end: undefined, warnings };
}

function register(orchestrator: OrchestrationHandler): string {
  const name = `simulated${registered++}`;
  df.app.orchestration(name, orchestrator);
  return name;
}

function startOf(name: string): ExecutionStarted {
  const OrchestrationInstance = { InstanceId: 'simulated', ExecutionId: 'execution' };
  return {
    EventType: 'ExecutionStarted',
    OrchestrationInstance,
    ParentInstance: null,
    ParentTraceContext: null,
    Name: name,
    Version: '',
    Input: null,
    Generation: 0,
  };
}

/** Activities at once, then the timer that is due first. */
function takeNext(work: ScheduledEvent[], open: ReadonlySet<number>): ScheduledEvent | undefined {
  const left = work.filter((event) => open.has(event.EventId));
  const timers = left
    .filter((event) => event.EventType === 'TimerCreated')
    .toSorted((a, b) => (a.FireAt < b.FireAt ? -1 : 1));
  const next = left.find((event) => event.EventType === 'TaskScheduled') ?? timers[0];
  work.splice(0, work.length, ...left.filter((event) => event !== next));
  return next;
}

function fired(timer: ScheduledEvent & { EventType: 'TimerCreated' }): MessageBody {
  vi.setSystemTime(Math.max(Date.now(), Date.parse(timer.FireAt)));
  return { EventType: 'TimerFired', TimerId: timer.EventId, FireAt: timer.FireAt };
}

function outcome(event: ScheduledEvent, options: SimulationOptions, nth: number): MessageBody {
  const TaskScheduledId = event.EventId;
  const name = 'Name' in event ? event.Name : '';
  const input: unknown = 'Input' in event ? (JSON.parse(event.Input ?? '[]') as unknown[])[0] : null;
  try {
    return {
      EventType: 'TaskCompleted',
      TaskScheduledId,
      Result: JSON.stringify(options.activity?.(name, input, nth) ?? null),
    };
  } catch (error) {
    return {
      EventType: 'TaskFailed',
      TaskScheduledId,
      Reason: String(error),
      Details: 'details',
      FailureDetails: null,
    };
  }
}
