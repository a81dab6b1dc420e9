import {
  type Action,
  ActionType,
  type ActivityAction,
  type CompoundAction,
  type RetryOptions,
  type SubOrchestratorAction,
  type TimerAction,
  unsupportedAction,
} from './actions.js';
import type { ScheduledBody } from './history-events.js';
import { HostTask } from './host-task.js';
import { OrchestrationFault } from './orchestration-fault.js';
import type { Replay } from './replay.js';

const DAY = 24 * 60 * 60 * 1000;
/** Durable extension behaviour: an interval above 6 days is waited out in hops of 3 days. */
export const TIMER_LIMITS = { longestHop: 6 * DAY, hop: 3 * DAY };

/** Starts one action of the SDK's list; numbers are taken in the order in which the SDK takes them. */
export function startAction(action: Action, replay: Replay): HostTask {
  switch (action.actionType) {
    case ActionType.CallActivity:
    case ActionType.CallActivityWithRetry:
      return startCall(action, replay, 'activity', () => activityBody(action));
    case ActionType.CallSubOrchestrator:
    case ActionType.CallSubOrchestratorWithRetry:
      return startCall(action, replay, 'orchestrator', () => childBody(action, replay));
    case ActionType.CreateTimer:
      return startTimer(action, replay);
    case ActionType.WaitForExternalEvent:
      return replay.events.waitFor(action.externalEventName);
    case ActionType.WhenAny:
    case ActionType.WhenAll:
      return startCompound(action, replay);
    case ActionType.ContinueAsNew: {
      replay.continueAsNew(action.input);
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
  replay: Replay,
  kind: 'activity' | 'orchestrator',
  body: () => ScheduledBody,
): HostTask {
  if (!replay.request.isKnown(kind, action.functionName)) {
    const article = kind === 'activity' ? 'an activity' : 'an orchestrator';
    throw new OrchestrationFault(
      `The function '${action.functionName}' doesn't exist, is disabled, or is not ${article} function.`,
    );
  }
  return action.retryOptions
    ? startRetried(action.retryOptions, replay, action.functionName, body)
    : replay.schedule(body());
}

/**
 * The retry loop of DurableTask.Core: after every failed attempt a timer, also after the last one (which fires at once),
 * because the SDK counts it. When retryTimeoutInMilliseconds ends the loop there is no such timer and the SDK waits for
 * ever; here that fails the instance instead.
 */
function startRetried(options: RetryOptions, replay: Replay, name: string, body: () => ScheduledBody): HostTask {
  const task = new HostTask(true);
  const first = replay.now.getTime();
  const attempt = (count: number): void => {
    replay.schedule(body()).whenSettled((failed) => {
      if (!failed) {
        task.settle();
        return;
      }
      if (replay.now.getTime() - first >= (options.retryTimeoutInMilliseconds ?? Number.POSITIVE_INFINITY)) {
        throw new OrchestrationFault(
          `The retry of '${name}' was ended by retryTimeoutInMilliseconds; in Azure this orchestration would now hang for ever, because durable-functions never learns of it.`,
        );
      }
      const last = count >= options.maxNumberOfAttempts;
      const delay = last ? 0 : retryDelay(options, count);
      const fireAt = new Date(replay.now.getTime() + delay).toISOString();
      replay.schedule({ EventType: 'TimerCreated', FireAt: fireAt }).whenSettled(() => {
        if (last) task.settle(true);
        else attempt(count + 1);
      });
    });
  };
  attempt(1);
  return task;
}

function retryDelay(options: RetryOptions, count: number): number {
  const delay = options.firstRetryIntervalInMilliseconds * (options.backoffCoefficient ?? 1) ** (count - 1);
  return Math.min(delay, options.maxRetryIntervalInMilliseconds ?? 6 * DAY);
}

function startTimer(action: TimerAction, replay: Replay): HostTask {
  const fireAt = new Date(action.fireAt).getTime();
  const task = new HostTask(fireAt - replay.now.getTime() > TIMER_LIMITS.longestHop);
  const hop = (): void => {
    const now = replay.now.getTime();
    const next = fireAt - now > TIMER_LIMITS.longestHop ? now + TIMER_LIMITS.hop : fireAt;
    const timer = replay.schedule({ EventType: 'TimerCreated', FireAt: new Date(next).toISOString() });
    if (action.isCanceled) {
      replay.drop(timer.id);
      task.settle(true);
      return;
    }
    timer.whenSettled(() => {
      if (replay.now.getTime() < fireAt) hop();
      else task.settle();
    });
  };
  hop();
  return task;
}

function startCompound(action: CompoundAction, replay: Replay): HostTask {
  const children = action.compoundActions.map((child) => startAction(child, replay));
  const task = new HostTask(children.some((child) => child.takesNumbers));
  let left = children.length;
  for (const child of children) {
    child.whenSettled(() => {
      left -= 1;
      if (action.actionType === ActionType.WhenAny && !task.settled) replay.leave(children);
      if (left === 0 || action.actionType === ActionType.WhenAny) task.settle();
    });
  }
  return task;
}

function activityBody(action: ActivityAction): ScheduledBody {
  return { EventType: 'TaskScheduled', Name: action.functionName, Input: JSON.stringify([action.input ?? null]) };
}

function childBody(action: SubOrchestratorAction, replay: Replay): ScheduledBody {
  return {
    EventType: 'SubOrchestrationInstanceCreated',
    Name: action.functionName,
    Version: action.version ?? '',
    InstanceId: action.instanceId || replay.nextChildId(),
    Input: JSON.stringify(action.input ?? null),
  };
}
