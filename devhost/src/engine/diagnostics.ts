import { isDeepStrictEqual } from 'node:util';
import {
  type HistoryEvent,
  isScheduled,
  jsonValue,
  type MessageBody,
  type ScheduledBody,
  type ScheduledEvent,
  settledTask,
} from '../protocol/history.js';
import type { Action } from '../protocol/orchestrator.js';

/**
 * Tells the user, once for each cause and instance, of something that the real host does without a word. `cause` stands for the text where
 * that varies from turn to turn.
 */
export type Warn = (text: string, cause?: string) => void;

/** Longer texts leave the table and become blobs. */
const LARGE = 30_720;
/** Each turn sends the whole history to the orchestrator and walks through it twice. */
const LONG_HISTORY = 2000;
/** What the Functions host takes for credentials in its logs. */
const SECRET = /[?&](sig|code)=|(AccountKey|SharedAccessKey|SharedAccessSignature|Password|Pwd)=/i;

/** Warns of what the messages of a turn bring along. */
export function warnOfMessages(messages: readonly MessageBody[], past: readonly HistoryEvent[], warn: Warn): void {
  for (const message of messages) {
    if (message.EventType === 'ExecutionStarted') {
      warnOfText('Its input', message.Input, warn);
      if (hasTimestamp(message.Input))
        warn("Its input has a property 'Timestamp', which durable-functions turns into a Date: give it another name.");
    } else if (message.EventType === 'EventRaised') {
      warnOfText(`The event '${message.Name}'`, message.Input, warn);
      if (isDigits(message.Name))
        warn(
          `The event '${message.Name}' may be taken for the result of task ${message.Name}, as both are known by that number: give it a name with a letter.`,
        );
    } else if (message.EventType === 'ExecutionTerminated') {
      const children = openChildren(past);
      if (children.length > 0)
        warn(
          `It was terminated, but not its sub-orchestrations, as in Azure: terminate them too (${listed(children)}).`,
        );
    } else if ('Result' in message && (message.Result.length > LARGE || SECRET.test(message.Result))) {
      warnOfText(`The result of ${taskOf(message.TaskScheduledId, past)}`, message.Result, warn);
    }
  }
}

/** Warns of what a turn schedules. */
export function warnOfCalls(scheduled: readonly ScheduledEvent[], instanceId: string, warn: Warn): void {
  for (const call of scheduled) {
    if (call.EventType === 'TimerCreated') continue;
    const what = described(call);
    warnOfText(`The input of ${what}`, call.Input, warn);
    if (call.EventType === 'TaskScheduled') warnOfInput(what, call.Input, instanceId, warn);
    else if (hasTimestamp(call.Input))
      warn(
        `The input of ${what} has a property 'Timestamp', which durable-functions turns into a Date: give it another name.`,
      );
  }
}

/** @param text a JSON array with the activity's input. */
function warnOfInput(what: string, text: string, instanceId: string, warn: Warn): void {
  if (text === '[true]' || text === '[false]')
    warn(
      `The input of ${what} is a bare boolean, which Azure passes on as the text "${text === '[true]' ? 'True' : 'False'}": pass an object.`,
      `boolean ${what}`,
    );
  if (!text.includes('"instanceId"')) return;
  const [input] = JSON.parse(text) as [unknown];
  const own = typeof input === 'object' && input !== null && 'instanceId' in input ? input.instanceId : instanceId;
  if (own !== instanceId)
    warn(
      `The input of ${what} has a property 'instanceId', which replaces the instance's own id in context.triggerMetadata.`,
    );
}

/** Warns of a text that is stored with the instance. */
export function warnOfText(what: string, text: string | null | undefined, warn: Warn): void {
  if (!text) return;
  if (text.length > LARGE)
    warn(
      `${what} is ${text.length} characters long. Beyond ${LARGE} it is kept as a blob, which costs time in every load: pass the name of a blob instead.`,
      `large ${what}`,
    );
  if (SECRET.test(text))
    warn(
      `${what} seems to hold a secret, which everyone can read who may read the history: let the function that needs it get it by itself.`,
    );
}

export function warnOfLength(events: number, warn: Warn): void {
  if (events > LONG_HISTORY)
    warn(
      `Its history has more than ${LONG_HISTORY} events, and every turn replays all of them: use continueAsNew or sub-orchestrations.`,
    );
}

/** What was scheduled under the same number before and now differs in more than kind and name, which Azure does not look at. */
export function warnOfDifference(before: ScheduledBody, now: ScheduledBody, warn: Warn): void {
  const advice =
    'An orchestrator must do the same in every replay: no Date.now, Math.random or environment, and no new code for old instances';
  const what = described(now);
  if (before.EventType === 'TimerCreated' || now.EventType === 'TimerCreated') {
    if (before.EventType !== 'TimerCreated' || now.EventType !== 'TimerCreated') return;
    if (Math.abs(Date.parse(before.FireAt) - Date.parse(now.FireAt)) > 1000)
      warn(
        `A timer had another time in an earlier run of the orchestrator. ${advice}; use context.df.currentUtcDateTime.`,
      );
  } else if (
    before.Input &&
    before.Input !== now.Input &&
    !isDeepStrictEqual(jsonValue(before.Input), jsonValue(now.Input))
  )
    warn(`The input of ${what} was another one in an earlier run of the orchestrator. ${advice}.`);
}

/** Warns of a Task.all or Task.any that holds a task which an earlier Task.any left open. */
export function warnOfReuse(action: Action, left: readonly Action[], warn: Warn): void {
  if (left.length === 0 || !('compoundActions' in action)) return;
  for (const child of action.compoundActions) {
    warnOfReuse(child, left, warn);
    if ('externalEventName' in child || 'compoundActions' in child) continue;
    if (!left.some((each) => isDeepStrictEqual(each, child))) continue;
    const what = 'functionName' in child ? `the call of '${child.functionName}'` : 'a timer';
    warn(
      `A Task.any or Task.all holds ${what} that an earlier Task.any left open: durable-functions schedules it once more. Make a new task for each, or wait for the open one alone.`,
    );
  }
}

export function described(body: ScheduledBody): string {
  if (body.EventType === 'TimerCreated') return `the timer for ${body.FireAt}`;
  return `${body.EventType === 'TaskScheduled' ? 'activity' : 'sub-orchestration'} '${body.Name}'`;
}

/** At most five of them. */
export function listed(names: readonly string[]): string {
  const unique = [...new Set(names)];
  return [...unique.slice(0, 5), ...(unique.length > 5 ? ['…'] : [])].join(', ');
}

export const isDigits = (name: string): boolean => /^\d+$/.test(name);

function taskOf(id: number, past: readonly HistoryEvent[]): string {
  const task = past.find((event) => isScheduled(event) && event.EventId === id);
  return task && isScheduled(task) ? described(task) : `task ${id}`;
}

function openChildren(past: readonly HistoryEvent[]): string[] {
  const settled = new Set(past.map((event) => settledTask(event)));
  return past.flatMap((event) =>
    event.EventType === 'SubOrchestrationInstanceCreated' && !settled.has(event.EventId) ? [event.InstanceId] : [],
  );
}

const hasTimestamp = (text: string | null): boolean => text !== null && /"Timestamp":"/.test(text);
