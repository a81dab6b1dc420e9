import { jsonText, type ScheduledBody } from '../protocol/history.js';
import {
  type Action,
  ActionType,
  type ActivityAction,
  type CompoundAction,
  type RetryOptions,
  type SubOrchestratorAction,
  type TimerAction,
  unsupportedAction,
} from '../protocol/orchestrator.js';
import { isDigits, type Warn } from './diagnostics.js';

const DAY = 24 * 60 * 60 * 1000;
/** Durable extension behaviour: a timer of more than 6 days is waited out in hops of 3 days. */
const LONGEST_HOP = 6 * DAY;
const HOP = 3 * DAY;

/** Ends an instance as Failed; the message becomes part of its output. */
export class OrchestrationFault extends Error {}

/** A task as the host sees it: open, then settled once, well or badly. Listeners run synchronously when it settles. */
export class HostTask {
  #failed = false;
  #settled = false;
  #listeners: ((failed: boolean) => void)[] = [];
  /** True for a task that takes further numbers while it is open: a retry loop or a timer of several hops. */
  readonly takesNumbers: boolean;

  constructor(takesNumbers = false) {
    this.takesNumbers = takesNumbers;
  }

  get settled(): boolean {
    return this.#settled;
  }

  settle(failed = false): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#failed = failed;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener(failed);
  }

  /** Calls back at once when the task has already settled. */
  whenSettled(listener: (failed: boolean) => void): void {
    if (this.#settled) listener(this.#failed);
    else this.#listeners.push(listener);
  }
}

/** What an action needs from the replay that starts it. */
export interface TaskScheduler {
  /** The orchestration's clock. */
  readonly now: Date;
  isKnown(kind: 'activity' | 'orchestrator', name: string): boolean;
  /** A task for the call of a function that is not there: settled badly at once, without a number. */
  callUnknown(kind: 'activity' | 'orchestrator', name: string): HostTask;
  /** Gives the next number to new work; the task settles when the history says so. */
  schedule(body: ScheduledBody): HostTask & { id: number };
  /** Takes a cancelled timer out of the open tasks; its TimerCreated stays in the history. */
  drop(id: number): void;
  /** The id of the sub-orchestration that would be scheduled next, when the app names none. */
  nextChildId(): string;
  waitFor(eventName: string): HostTask;
  continueAsNew(input: unknown): void;
  /** Notes the children that a Task.any leaves open when it is won. */
  leave(children: { action: Action; task: HostTask }[]): void;
  readonly warn: Warn;
}

/** Starts one action of the SDK's list; numbers are taken in the order in which the SDK takes them. */
export function startAction(action: Action, scheduler: TaskScheduler): HostTask {
  switch (action.actionType) {
    case ActionType.CallActivity:
    case ActionType.CallActivityWithRetry:
      return startCall(action, scheduler, 'activity', () => activityBody(action));
    case ActionType.CallSubOrchestrator:
    case ActionType.CallSubOrchestratorWithRetry:
      return startCall(action, scheduler, 'orchestrator', () => childBody(action, scheduler));
    case ActionType.CreateTimer:
      return startTimer(action, scheduler);
    case ActionType.WaitForExternalEvent:
      return scheduler.waitFor(action.externalEventName);
    case ActionType.WhenAny:
    case ActionType.WhenAll:
      return startCompound(action, scheduler);
    case ActionType.ContinueAsNew: {
      scheduler.continueAsNew(action.input);
      const task = new HostTask();
      task.settle();
      return task;
    }
    default:
      throw new OrchestrationFault(unsupportedAction((action as { actionType: number }).actionType));
  }
}

function startCall(
  action: ActivityAction | SubOrchestratorAction,
  scheduler: TaskScheduler,
  kind: 'activity' | 'orchestrator',
  body: () => ScheduledBody,
): HostTask {
  const { functionName: name, retryOptions } = action;
  if (!scheduler.isKnown(kind, name)) return scheduler.callUnknown(kind, name);
  return retryOptions ? startRetried(retryOptions, scheduler, name, body) : scheduler.schedule(body());
}

/**
 * The retry loop of DurableTask.Core: a timer follows every failed attempt, even the last one (it fires at once), because
 * the SDK counts it. When retryTimeoutInMilliseconds ends the loop there is no such timer and the SDK waits for ever;
 * here that fails the instance instead.
 */
function startRetried(
  options: RetryOptions,
  scheduler: TaskScheduler,
  name: string,
  body: () => ScheduledBody,
): HostTask {
  if (options.retryTimeoutInMilliseconds !== undefined)
    scheduler.warn(
      `The retry of '${name}' has a retryTimeoutInMilliseconds: when that ends it, the orchestration hangs for ever in Azure, and fails here.`,
    );
  const task = new HostTask(true);
  const first = scheduler.now.getTime();
  const attempt = (count: number): void => {
    scheduler.schedule(body()).whenSettled((failed) => {
      if (!failed) {
        task.settle();
        return;
      }
      if (scheduler.now.getTime() - first >= (options.retryTimeoutInMilliseconds ?? Number.POSITIVE_INFINITY)) {
        throw new OrchestrationFault(
          `The retry of '${name}' was ended by retryTimeoutInMilliseconds; in Azure this orchestration would now hang for ever, because durable-functions never learns of it.`,
        );
      }
      const last = count >= options.maxNumberOfAttempts;
      const delay = last ? 0 : retryDelay(options, count);
      const fireAt = new Date(scheduler.now.getTime() + delay).toISOString();
      scheduler.schedule({ EventType: 'TimerCreated', FireAt: fireAt }).whenSettled(() => {
        if (last) task.settle(true);
        else attempt(count + 1);
      });
    });
  };
  attempt(1);
  return task;
}

/** Milliseconds between attempt `count` and the next one. */
function retryDelay(options: RetryOptions, count: number): number {
  const delay = options.firstRetryIntervalInMilliseconds * (options.backoffCoefficient ?? 1) ** (count - 1);
  return Math.min(delay, options.maxRetryIntervalInMilliseconds ?? 6 * DAY);
}

function startTimer(action: TimerAction, scheduler: TaskScheduler): HostTask {
  const fireAt = new Date(action.fireAt).getTime();
  const task = new HostTask(fireAt - scheduler.now.getTime() > LONGEST_HOP);
  const hop = (): void => {
    const now = scheduler.now.getTime();
    const next = fireAt - now > LONGEST_HOP ? now + HOP : fireAt;
    const timer = scheduler.schedule({ EventType: 'TimerCreated', FireAt: new Date(next).toISOString() });
    if (action.isCanceled) {
      scheduler.drop(timer.id);
      task.settle(true);
      return;
    }
    timer.whenSettled(() => {
      if (scheduler.now.getTime() < fireAt) hop();
      else task.settle();
    });
  };
  hop();
  return task;
}

function startCompound(action: CompoundAction, scheduler: TaskScheduler): HostTask {
  const started = action.compoundActions.map((child) => ({ action: child, task: startAction(child, scheduler) }));
  const children = started.map(({ task: child }) => child);
  const task = new HostTask(children.some((child) => child.takesNumbers));
  let left = children.length;
  for (const child of children) {
    child.whenSettled(() => {
      left -= 1;
      if (action.actionType === ActionType.WhenAny && !task.settled) scheduler.leave(started);
      if (left === 0 || action.actionType === ActionType.WhenAny) task.settle();
    });
  }
  return task;
}

function activityBody(action: ActivityAction): ScheduledBody {
  return { EventType: 'TaskScheduled', Name: action.functionName, Input: jsonText([action.input ?? null]) };
}

function childBody(action: SubOrchestratorAction, scheduler: TaskScheduler): ScheduledBody {
  return {
    EventType: 'SubOrchestrationInstanceCreated',
    Name: action.functionName,
    Version: action.version ?? '',
    InstanceId: action.instanceId || scheduler.nextChildId(),
    Input: jsonText(action.input ?? null),
  };
}

/**
 * External events of one execution. Durable extension behaviour: names match without regard to case (the SDK matches
 * exactly), early events wait in a queue, several waiters on one name are served last in, first out.
 */
export class ExternalEvents {
  readonly #early = new Map<string, string[]>();
  readonly #waiters = new Map<string, { name: string; task: HostTask }[]>();
  readonly #warn: Warn;

  constructor(warn: Warn) {
    this.#warn = warn;
  }

  /** The names that are waited for. */
  get awaited(): string[] {
    return [...this.#waiters.values()].flatMap((waiters) => waiters.map(({ name }) => name));
  }

  /** The names of events that came and that nobody has waited for. */
  get unclaimed(): string[] {
    return [...this.#early.values()].flat();
  }

  raise(name: string): void {
    const key = name.toLowerCase();
    const waiter = this.#waiters.get(key)?.pop();
    if (!waiter) {
      this.#early.set(key, [...(this.#early.get(key) ?? []), name]);
      return;
    }
    this.#compare(waiter.name, name);
    waiter.task.settle();
  }

  waitFor(name: string): HostTask {
    if (isDigits(name))
      this.#warn(
        `It waits for the event '${name}', which may take the result of task ${name} for it, as both are known by that number: give it a name with a letter.`,
      );
    const key = name.toLowerCase();
    const task = new HostTask();
    const early = this.#early.get(key)?.shift();
    if (early === undefined) {
      this.#waiters.set(key, [...(this.#waiters.get(key) ?? []), { name, task }]);
      return task;
    }
    this.#compare(name, early);
    task.settle();
    return task;
  }

  #compare(waited: string, raised: string): void {
    if (waited === raised) return;
    this.#warn(
      `The event '${raised}' was taken by a wait for '${waited}', but the SDK compares exactly: the orchestrator hangs, as in Azure. Raise it as '${waited}'.`,
    );
  }
}
