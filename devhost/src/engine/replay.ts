import {
  type EventRaised,
  type HistoryEvent,
  isScheduled,
  type ScheduledBody,
  settledTask,
} from '../protocol/history.js';
import { type Action, ActionType, type OrchestratorState } from '../protocol/orchestrator.js';
import { described, listed, type Warn, warnOfDifference, warnOfReuse } from './diagnostics.js';
import { ExternalEvents, HostTask, OrchestrationFault, startAction, type TaskScheduler } from './tasks.js';

/** Durable extension behaviour. */
const MAX_ACTIONS = 100_000;

export interface ReplayRequest {
  /** The whole history of the current execution, this turn's messages included. */
  history: readonly HistoryEvent[];
  state: OrchestratorState;
  executionId: string;
  isKnown(kind: 'activity' | 'orchestrator', name: string): boolean;
  /** Fail what only Azure would punish. */
  strict: boolean;
  warn: Warn;
}

export interface ReplayResult {
  /** New work in the order of its numbers; each becomes a history event. */
  scheduled: { id: number; body: ScheduledBody }[];
  /** The numbers of all tasks still open: an armed timer that is not among them was cancelled. */
  open: Set<number>;
  end: ReplayEnd | undefined;
}

export type ReplayEnd = { kind: 'completed'; output: unknown } | { kind: 'failed'; error: string } | ContinuedAsNew;

export interface ContinuedAsNew {
  kind: 'continuedAsNew';
  input: unknown;
  /** Events that the next execution takes over. */
  carried: EventRaised[];
}

/**
 * Walks the SDK's action list against the history, giving tasks the same numbers as the SDK gives them. History refers
 * to tasks by number only, so both walks must agree: actions in order, each awaited before the next; events one at a
 * time; a completion runs the walk on at once. Durable extension behaviour (OutOfProcOrchestrationShim) on top of
 * DurableTask.Core's TaskOrchestrationContext.
 *
 * @throws OrchestrationFault when the orchestrator's code and its history contradict each other, or when it asks for
 * something that this host cannot do.
 */
export function replay(request: ReplayRequest): ReplayResult {
  return new Replay(request).run();
}

class Replay implements TaskScheduler {
  /** The latest start of a turn so far. */
  #time = '';
  readonly #request: ReplayRequest;
  readonly #events: ExternalEvents;
  #nextId = 0;
  readonly #pending = new Map<number, ScheduledBody>();
  readonly #bodies = new Map<number, ScheduledBody>();
  readonly #open = new Map<number, HostTask>();
  #cursor = 0;
  #current: { task: HostTask; action: Action } | undefined;
  #left: { action: Action; task: HostTask }[] = [];
  #hasWarned = false;
  #continued: ContinuedAsNew | undefined;

  constructor(request: ReplayRequest) {
    this.#request = request;
    this.#events = new ExternalEvents(this.warn);
  }

  readonly warn: Warn = (text, cause) => {
    this.#hasWarned = true;
    this.#request.warn(text, cause);
  };

  run(): ReplayResult {
    if (this.#request.state.actions.length > MAX_ACTIONS) {
      throw new OrchestrationFault(`The orchestrator scheduled more than ${MAX_ACTIONS} actions in one execution.`);
    }
    for (const event of this.#request.history) this.#feed(event);
    const scheduled = [...this.#pending].map(([id, body]) => ({ id, body })).toSorted((a, b) => a.id - b.id);
    return { scheduled, open: new Set(this.#open.keys()), end: this.#end() };
  }

  get now(): Date {
    return new Date(this.#time);
  }

  isKnown(kind: 'activity' | 'orchestrator', name: string): boolean {
    return this.#request.isKnown(kind, name);
  }

  /**
   * Durable extension behaviour: the call fails before it takes a number, which the SDK never learns: the orchestrator waits for ever.
   */
  callUnknown(kind: 'activity' | 'orchestrator', name: string): HostTask {
    const what = `it calls the ${kind} '${name}', which the app does not have`;
    if (this.#request.strict) throw new OrchestrationFault(`With --strict, this orchestrator fails: ${what}.`);
    this.warn(`It stays Running for ever, as in Azure: ${what}. Start the host with --strict to let it fail.`);
    const task = new HostTask();
    task.settle(true);
    return task;
  }

  schedule(body: ScheduledBody): HostTask & { id: number } {
    const id = this.#nextId++;
    const task = Object.assign(new HostTask(), { id });
    this.#pending.set(id, body);
    this.#bodies.set(id, body);
    this.#open.set(id, task);
    return task;
  }

  drop(id: number): void {
    this.#open.delete(id);
  }

  nextChildId(): string {
    return `${this.#request.executionId}:${this.#nextId}`;
  }

  waitFor(eventName: string): HostTask {
    return this.#events.waitFor(eventName);
  }

  continueAsNew(input: unknown): void {
    if (typeof input === 'string' && /^".*"$/s.test(input))
      this.warn('Its next execution gets a string with quotes around it, as in Azure: give continueAsNew an object.');
    this.#continued = { kind: 'continuedAsNew', input, carried: [] };
  }

  leave(children: { action: Action; task: HostTask }[]): void {
    this.#left.push(...children.filter(({ task }) => !task.settled));
  }

  #feed(event: HistoryEvent): void {
    if (event.EventType === 'OrchestratorStarted') {
      if (event.Timestamp > this.#time) this.#time = event.Timestamp;
    } else if (event.EventType === 'ExecutionStarted') {
      this.#advance();
    } else if (event.EventType === 'EventRaised') {
      // Events raised after ContinueAsNew was reached go to the next execution; those buffered before it are lost.
      if (this.#continued)
        this.#continued.carried.push({ EventType: 'EventRaised', Name: event.Name, Input: event.Input });
      else this.#events.raise(event.Name);
    } else if (isScheduled(event)) {
      const now = this.#pending.get(event.EventId);
      checkMatch(event, now);
      if (now) warnOfDifference(event, now, this.warn);
      this.#pending.delete(event.EventId);
    } else {
      this.#settle(event);
    }
  }

  #advance(): void {
    const { actions } = this.#request.state;
    let action = actions[this.#cursor];
    while (action) {
      this.#cursor += 1;
      this.#left = this.#left.filter(({ task }) => !task.settled);
      if (this.#left.some(({ task }) => task.takesNumbers)) this.#warnDrift('Task.any');
      warnOfReuse(
        action,
        this.#left.map((left) => left.action),
        this.warn,
      );
      const task = startAction(action, this);
      this.#current = { task, action };
      if (!task.settled) {
        task.whenSettled(() => this.#advance());
        return;
      }
      action = actions[this.#cursor];
    }
  }

  #settle(event: HistoryEvent): void {
    const id = settledTask(event);
    const task = id === undefined ? undefined : this.#open.get(id);
    if (id === undefined || !task) return;
    this.#open.delete(id);
    task.settle(event.EventType === 'TaskFailed' || event.EventType === 'SubOrchestrationInstanceFailed');
  }

  #end(): ReplayEnd | undefined {
    const { state } = this.#request;
    const returned = state.isDone || state.error !== undefined;
    const behind = this.#current !== undefined && !this.#current.task.settled;
    if (behind && (returned || this.#cursor < state.actions.length)) this.#warnBehind();
    if (!returned || behind || this.#cursor < state.actions.length) {
      this.#warnOfStandstill(returned);
      return undefined;
    }
    if (this.#open.size > 0) {
      const open = listed([...this.#open.keys()].map((id) => this.#nameOf(id)));
      this.warn(
        `The orchestrator has returned but stays Running until its open tasks end, as in Azure: ${open}. Cancel timers that lose a Task.any, and wait for what you call.`,
        'open at the end',
      );
      return undefined;
    }
    this.#warnOfLostEvents();
    if (state.error !== undefined) return { kind: 'failed', error: state.error };
    return this.#continued ?? { kind: 'completed', output: state.output };
  }

  #nameOf(id: number): string {
    const body = this.#bodies.get(id);
    return body ? described(body) : `task ${id}`;
  }

  /** When nothing is open, only an event can move an instance; the SDK may even wait for something that cannot come. */
  #warnOfStandstill(returned: boolean): void {
    if (this.#hasWarned || this.#open.size > 0) return;
    const { awaited, unclaimed } = this.#events;
    if (awaited.length === 0)
      this.warn(
        returned
          ? 'The orchestrator has returned, but nothing can end it any more: it stays Running.'
          : 'Nothing can move it any more: no task is open, and it waits for no event. Does it wait for a timer that it has cancelled?',
      );
    else if (unclaimed.length > 0)
      this.warn(
        `It waits for the event ${listed(awaited.map((name) => `'${name}'`))}, and came by is ${listed(unclaimed.map((name) => `'${name}'`))}, which nobody waits for so far.`,
      );
  }

  #warnOfLostEvents(): void {
    const names = this.#events.unclaimed;
    if (names.length === 0) return;
    const lost = `The event ${listed(names.map((name) => `'${name}'`))} came`;
    this.warn(
      this.#continued
        ? `${lost} before continueAsNew and is lost, as in Azure: wait for events before.`
        : `${lost}, and the orchestrator ended without waiting for it.`,
    );
  }

  /** The SDK leaves a Task.all at the first failure, the host waits for all children (durable-functions behaviour). */
  #warnBehind(): void {
    const current = this.#current;
    if (current?.action.actionType === ActionType.WhenAll && current.task.takesNumbers) this.#warnDrift('Task.all');
  }

  #warnDrift(compound: string): void {
    this.warn(
      `A ${compound} with retried children was left while children are open: task numbers drift apart and results can reach the wrong task. Use sub-orchestrators that never throw.`,
    );
  }
}

const KINDS = {
  TaskScheduled: 'an activity',
  SubOrchestrationInstanceCreated: 'a sub-orchestration',
  TimerCreated: 'a timer',
} as const;

/** Compares what an earlier run scheduled under a number with what this replay has scheduled under it. */
function checkMatch(event: ScheduledBody & { EventId: number }, expected: ScheduledBody | undefined): void {
  const before = describe(event);
  if (expected && describe(expected).toLowerCase() === before.toLowerCase()) return;
  const contradiction = expected
    ? `task ${event.EventId} was ${before} in an earlier run, and is ${describe(expected)} in this replay`
    : `an earlier run scheduled ${before} as task ${event.EventId}, and this replay has not scheduled it`;
  throw new OrchestrationFault(
    `Non-deterministic orchestrator: ${contradiction}. Was the code changed while this instance was running?`,
  );
}

function describe(body: ScheduledBody): string {
  return 'Name' in body ? `${KINDS[body.EventType]} '${body.Name}'` : KINDS[body.EventType];
}
