import { type Action, ActionType } from './actions.js';
import { startAction } from './action-tasks.js';
import { ExternalEvents } from './external-events.js';
import { type EventRaised, type HistoryEvent, isScheduled, type ScheduledBody, settledTask } from './history-events.js';
import { HostTask } from './host-task.js';
import { checkMatch } from './non-determinism.js';
import { OrchestrationFault } from './orchestration-fault.js';
import type { ReplayEnd, ReplayRequest, ReplayResult } from './replay-types.js';

const MAX_ACTIONS = 100_000;

/**
 * Walks the SDK's action list against the history, giving tasks the same numbers as the SDK gives them. History refers
 * to tasks by number only, so both walks must agree: actions in order, each awaited before the next; events one at a
 * time; a completion runs the walk on at once. Durable extension behaviour (OutOfProcOrchestrationShim) on top of
 * DurableTask.Core's TaskOrchestrationContext.
 */
export class Replay {
  readonly events: ExternalEvents;
  readonly request: ReplayRequest;
  /** The orchestration's clock. */
  now = new Date(0);
  #nextId = 0;
  readonly #pending = new Map<number, ScheduledBody>();
  readonly #open = new Map<number, HostTask>();
  #cursor = 0;
  #current: { task: HostTask; action: Action } | undefined;
  #left: HostTask[] = [];
  #continued: { input: unknown; carried: EventRaised[] } | undefined;

  constructor(request: ReplayRequest) {
    this.request = request;
    this.events = new ExternalEvents((message) => request.warn(message));
  }

  /** Throws OrchestrationFault when the orchestrator's code and its history contradict each other. */
  run(): ReplayResult {
    if (this.request.state.actions.length > MAX_ACTIONS) {
      throw new OrchestrationFault(`The orchestrator scheduled more than ${MAX_ACTIONS} actions in one execution.`);
    }
    for (const event of this.request.history) this.#feed(event);
    const scheduled = [...this.#pending].map(([id, body]) => ({ id, body })).toSorted((a, b) => a.id - b.id);
    return { scheduled, open: new Set(this.#open.keys()), end: this.#end() };
  }

  /** Gives the next number to new work; the task settles when history says so. */
  schedule(body: ScheduledBody): HostTask & { id: number } {
    const id = this.#nextId++;
    const task = Object.assign(new HostTask(), { id });
    this.#pending.set(id, body);
    this.#open.set(id, task);
    return task;
  }

  /** Takes a cancelled timer out of the open tasks; its TimerCreated stays in history. */
  drop(id: number): void {
    this.#open.delete(id);
  }

  /** The id of the sub-orchestration that would be scheduled next, when the app names none. */
  nextChildId(): string {
    return `${this.request.executionId}:${this.#nextId}`;
  }

  continueAsNew(input: unknown): void {
    this.#continued = { input, carried: [] };
  }

  /** Notes the retried children that a Task.any leaves open when it is won. */
  leave(children: HostTask[]): void {
    this.#left.push(...children.filter((child) => child.takesNumbers && !child.settled));
  }

  #feed(event: HistoryEvent): void {
    if (event.EventType === 'OrchestratorStarted') {
      const time = new Date(event.Timestamp);
      if (time > this.now) this.now = time;
    } else if (event.EventType === 'ExecutionStarted') {
      this.#advance();
    } else if (event.EventType === 'EventRaised') {
      // Events raised after ContinueAsNew was reached go to the next execution; those buffered before it are lost.
      if (this.#continued)
        this.#continued.carried.push({ EventType: 'EventRaised', Name: event.Name, Input: event.Input });
      else this.events.raise(event.Name);
    } else if (isScheduled(event)) {
      this.#match(event);
    } else {
      this.#settle(event);
    }
  }

  #advance(): void {
    let action = this.request.state.actions[this.#cursor];
    while (action) {
      this.#cursor += 1;
      if (this.#left.some((child) => !child.settled)) this.#warnDrift('Task.any');
      const task = startAction(action, this);
      this.#current = { task, action };
      if (!task.settled) {
        task.whenSettled(() => this.#advance());
        return;
      }
      action = this.request.state.actions[this.#cursor];
    }
  }

  #match(event: ScheduledBody & { EventId: number }): void {
    checkMatch(event, this.#pending.get(event.EventId));
    this.#pending.delete(event.EventId);
  }

  #settle(event: HistoryEvent): void {
    const id = settledTask(event);
    const task = id === undefined ? undefined : this.#open.get(id);
    if (id === undefined || !task) return;
    this.#open.delete(id);
    task.settle(event.EventType === 'TaskFailed' || event.EventType === 'SubOrchestrationInstanceFailed');
  }

  #end(): ReplayEnd | undefined {
    const { state } = this.request;
    const returned = state.isDone || state.error !== undefined;
    const behind = this.#current !== undefined && !this.#current.task.settled;
    if (behind && (returned || this.#cursor < state.actions.length)) this.#warnBehind();
    if (!returned || behind || this.#cursor < state.actions.length) return undefined;
    if (this.#open.size > 0) {
      this.request.warn(
        `The orchestrator has returned but stays Running until ${this.#open.size} open task(s) finish, as in Azure: cancel timers that lose a Task.any.`,
      );
      return undefined;
    }
    if (state.error !== undefined) return { kind: 'failed', error: state.error };
    if (this.#continued) return { kind: 'continuedAsNew', ...this.#continued };
    return { kind: 'completed', output: state.output };
  }

  /** The SDK leaves a Task.all at the first failure, the host waits for all children (durable-functions behaviour). */
  #warnBehind(): void {
    const current = this.#current;
    if (current?.action.actionType === ActionType.WhenAll && current.task.takesNumbers) this.#warnDrift('Task.all');
  }

  #warnDrift(compound: string): void {
    this.request.warn(
      `A ${compound} with retried children was left while children are open: task numbers drift apart and results can reach the wrong task. Use sub-orchestrators that never throw.`,
    );
  }
}
