import type { OrchestrationContext, Task } from 'durable-functions';
import type { createActivities } from '../activities/index.js';
import type { Outcome } from '../job/failure.js';
import { backoffSeconds, withJitter } from '../job/retry.js';

/** A durable step: yields tasks to the framework and returns a value of the project. */
export type Step<T> = Generator<Task, T, unknown>;

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

/**
 * Calls activities again, after a growing pause, while the platform is to blame for their failure.
 * `again` is what the later calls get in place of the input.
 */
export const patientActivitiesOf = (context: OrchestrationContext): ActivityCalls =>
  proxyActivities((name, input, again) => callPatiently(context, name, input, again));

type Call = (name: string, input: object, again?: object) => Step<Outcome<never>>;

/** The only place where a call loses its type: a durable call is a name and a value of any kind. */
const proxyActivities = (call: Call): ActivityCalls =>
  new Proxy({} as ActivityCalls, {
    get: (_, name) => (input: object, again?: object) => call(String(name), input, again),
  });

function* callOnce(context: OrchestrationContext, name: string, input: object): Step<Outcome<never>> {
  try {
    return (yield context.df.callActivity(name, input)) as Outcome<never>;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, failure: { blame: 'user', message } };
  }
}

const PLATFORM_TRIES = 6;
const FIRST_DELAY_SECONDS = 2;

function* callPatiently(
  context: OrchestrationContext,
  name: string,
  input: object,
  again = input,
): Step<Outcome<never>> {
  for (let tries = 1; ; tries += 1) {
    const outcome = yield* callOnce(context, name, tries === 1 ? input : again);
    if (outcome.ok || outcome.failure.blame !== 'platform' || tries === PLATFORM_TRIES) return outcome;
    const least = Math.max(outcome.failure.retryAfterSeconds ?? 0, backoffSeconds(FIRST_DELAY_SECONDS, tries));
    yield* sleep(context, withJitter(least, `${context.df.instanceId} ${name} ${tries}`));
  }
}

export function* sleep(context: OrchestrationContext, seconds: number): Step<void> {
  const fireAt = context.df.currentUtcDateTime;
  fireAt.setTime(fireAt.getTime() + seconds * 1000);
  yield context.df.createTimer(fireAt);
}

/** A sub-orchestration that was started and will end with a value of this type. */
export interface Child<Result> {
  task: Task;
  /** Never set: it carries the type of the result. */
  result?: Result;
}

/** An orchestrator with its name and the types of its input and result. */
export interface Orchestrator<Input, Result> {
  readonly name: string;
  readonly run: (context: OrchestrationContext) => Step<Result>;
  /** Starts it below the orchestrator of this context. */
  start(context: OrchestrationContext, input: Input, instanceId: string): Child<Result>;
}

export function defineOrchestrator<Input extends object, Result>(
  name: string,
  body: (context: OrchestrationContext, input: Input) => Step<Result>,
): Orchestrator<Input, Result> {
  return {
    name,
    run: (context) => body(context, context.df.getInput<Input>()),
    start: (context, input, instanceId) => ({ task: context.df.callSubOrchestrator(name, input, instanceId) }),
  };
}

export function* resultOf<Result>({ task }: Child<Result>): Step<Result> {
  return (yield task) as Result;
}

/** The results of at least one child, in order. The children must not throw: the others would be abandoned. */
export function* resultsOf<Result>(context: OrchestrationContext, children: Child<Result>[]): Step<Result[]> {
  return (yield context.df.Task.all(children.map(({ task }) => task))) as Result[];
}
