import type { OrchestrationContext, Task } from 'durable-functions';
import type { createActivities } from '../activities/index.js';
import { hostFailure, type Outcome } from '../job/failure.js';
import { backoffSeconds, withJitter } from '../job/attempts/retry.js';

/** A durable step: yields tasks to the framework and returns a value of the project. */
export type Step<T> = Generator<Task, T, unknown>;

/** The run of the job that an orchestration belongs to; undefined for the first. What it calls and starts belongs to the same. */
export const runOf = (context: OrchestrationContext): number | undefined =>
  context.df.getInput<{ run?: number } | undefined>()?.run;

/** With what the ids of the orchestrations of a run begin: those of an earlier run may not have ended. */
export const runId = (jobId: string, run = 1) => (run === 1 ? jobId : `${jobId}-run-${run}`);

/**
 * How many events the histories of executions may have, of those that go on as a new execution with `continueAsNew`: replaying them stays
 * cheap, however long an orchestration runs. A few steps may follow, and people and stops send events, which are not counted.
 */
const MOST_EVENTS = 160;
/** Of an activity, a timer or a sub-orchestration: it is scheduled, it ends, and a turn that takes its end begins and is over. */
const EVENTS_OF_TASK = 4;

/** Each replay has a context of its own. */
const events = new WeakMap<OrchestrationContext, number>();

const count = (context: OrchestrationContext, tasks: number) =>
  events.set(context, (events.get(context) ?? 0) + tasks * EVENTS_OF_TASK);

/** Whether it is time to go on as a new execution. */
export const isLong = (context: OrchestrationContext) => (events.get(context) ?? 0) >= MOST_EVENTS;

/** The input of a call with the run that it belongs to. */
function withRun<Input extends object>(context: OrchestrationContext, input: Input): Input {
  const run = runOf(context);
  return run === undefined ? input : { ...input, run };
}

type Activities = ReturnType<typeof createActivities>;

/** Every activity by its name. A failure comes back as a value. */
type ActivityCalls = {
  [Name in keyof Activities]: Activities[Name] extends (input: infer Input) => Promise<infer Result>
    ? (input: Input, again?: Input) => Step<Outcome<Result>>
    : never;
};

/** Calls activities once: whatever fails is the caller's to handle. */
export const activitiesOf = (context: OrchestrationContext): ActivityCalls =>
  proxyActivities((name, input) => callOnce(context, name, input));

const PLATFORM_TRIES = 6;

/**
 * Calls activities again, after a growing pause, while the platform is to blame for their failure.
 * `again` is what the later calls get in place of the input.
 */
export const patientActivitiesOf = (context: OrchestrationContext, tries = PLATFORM_TRIES): ActivityCalls =>
  proxyActivities((name, input, again) => callPatiently(context, tries, name, input, again));

type Call = (name: string, input: object, again?: object) => Step<Outcome<never>>;

/** The only place where a call loses its type: a durable call is a name and a value of any kind. */
const proxyActivities = (call: Call): ActivityCalls =>
  new Proxy({} as ActivityCalls, {
    get: (_, name) => (input: object, again?: object) => call(String(name), input, again),
  });

/** Activities return their failures, so what is thrown comes from the host: its worker died, or the activity ran past `functionTimeout`. */
function* callOnce(context: OrchestrationContext, name: string, input: object): Step<Outcome<never>> {
  count(context, 1);
  try {
    return (yield context.df.callActivity(name, withRun(context, input))) as Outcome<never>;
  } catch (error) {
    return { ok: false, failure: hostFailure(name, error) };
  }
}

const FIRST_DELAY_SECONDS = 2;

function* callPatiently(
  context: OrchestrationContext,
  most: number,
  name: string,
  input: object,
  again = input,
): Step<Outcome<never>> {
  for (let tries = 1; ; tries += 1) {
    const outcome = yield* callOnce(context, name, tries === 1 ? input : again);
    if (outcome.ok || outcome.failure.blame !== 'platform' || tries >= most) return outcome;
    const least = Math.max(outcome.failure.retryAfterSeconds ?? 0, backoffSeconds(FIRST_DELAY_SECONDS, tries));
    yield* sleep(context, withJitter(least, `${context.df.instanceId} ${name} ${tries}`));
  }
}

/** The external event that ends a `sleep` early: whoever stops a job sends it to the job's orchestrations. */
export const WAKE = 'wake';

/**
 * Waits, unless somebody sends the event `WAKE`. Each sleep waits for the event anew: of several waits for one event, host and SDK
 * serve the latest, so those of earlier sleeps do no harm.
 * @returns whether somebody did.
 */
export function* sleep(context: OrchestrationContext, seconds: number): Step<boolean> {
  const { df } = context;
  const fireAt = df.currentUtcDateTime;
  fireAt.setTime(fireAt.getTime() + seconds * 1000);
  const timer = df.createTimer(fireAt);
  count(context, 1);
  yield df.Task.any([timer, df.waitForExternalEvent(WAKE)]);
  const isWoken = !timer.isCompleted;
  // An orchestration with an open timer does not end.
  if (isWoken) timer.cancel();
  return isWoken;
}

/** An orchestrator with its name and the types of its input and result. */
export interface Orchestrator<Input, Result> {
  readonly name: string;
  readonly run: (context: OrchestrationContext) => Step<Result>;
  /** Starts it below the orchestrator of this context. */
  start(context: OrchestrationContext, input: Input, instanceId: string): Task;
}

export function defineOrchestrator<Input extends object, Result>(
  name: string,
  body: (context: OrchestrationContext, input: Input) => Step<Result>,
): Orchestrator<Input, Result> {
  return {
    name,
    run: (context) => body(context, context.df.getInput<Input>()),
    start: (context, input, instanceId) => context.df.callSubOrchestrator(name, input, instanceId),
  };
}

/** What a sub-orchestration gets, and its id. */
export interface Child<Input> {
  instanceId: string;
  input: Input;
}

/** How often a sub-orchestration that the host has failed is started again. */
const MOST_RESTARTS = 3;
const FIRST_RESTART_SECONDS = 5;

/** The id of a sub-orchestration that was started again so many times: the host keeps what it knows of the one that it failed. */
export const restartedId = (instanceId: string, restarts: number) =>
  restarts === 0 ? instanceId : `${instanceId}-again-${restarts}`;

/**
 * Runs sub-orchestrations side by side, at least one, until all have ended. Ours never throw; one that fails was failed by the host, as
 * happens when its worker dies in the middle of a turn, and is started again under a new id with `again` in its input.
 * @returns in the order of the children, their results or why the host failed them.
 */
export function* runChildren<Input extends object, Result>(
  context: OrchestrationContext,
  orchestrator: Orchestrator<Input & { again?: true }, Result>,
  children: Child<Input>[],
): Step<Outcome<Result>[]> {
  const outcomes: Outcome<Result>[] = [];
  let open = children.map((child, index) => ({ ...child, index }));
  for (let restarts = 0; ; restarts += 1) {
    const tasks = open.map(({ input, instanceId }) =>
      orchestrator.start(
        context,
        withRun(context, restarts === 0 ? input : { ...input, again: true }),
        restartedId(instanceId, restarts),
      ),
    );
    const ended = yield* settled<Result>(context, orchestrator.name, tasks);
    for (const [k, { index }] of open.entries()) outcomes[index] = ended[k] as Outcome<Result>;
    open = open.filter(({ index }) => outcomes[index]?.ok === false);
    if (open.length === 0 || restarts === MOST_RESTARTS) return outcomes;
    yield* sleep(context, backoffSeconds(FIRST_RESTART_SECONDS, restarts + 1));
  }
}

/** Waits for all tasks, whatever becomes of each. */
function* settled<Result>(context: OrchestrationContext, name: string, tasks: Task[]): Step<Outcome<Result>[]> {
  count(context, tasks.length);
  try {
    const results = (yield context.df.Task.all(tasks)) as Result[];
    return results.map((value) => ({ ok: true, value }));
  } catch {
    // The first failure ended the wait; the others are waited for one by one.
    const outcomes: Outcome<Result>[] = [];
    for (const task of tasks) {
      try {
        outcomes.push({ ok: true, value: (yield task) as Result });
      } catch (error) {
        outcomes.push({ ok: false, failure: hostFailure(name, error) });
      }
    }
    return outcomes;
  }
}
