import type { OrchestrationContext, Task } from 'durable-functions';
import { withJitter } from '../job/jitter.js';
import type { Outcome } from '../job/outcome.js';
import { backoffSeconds } from '../job/retry.js';

/** A durable step: yields tasks to the framework and returns a value of the project. */
export type Step<T> = Generator<Task, T, unknown>;

/** Calls an activity; its failure comes back as a value. */
export function* callActivity<T>(context: OrchestrationContext, name: string, input: object): Step<Outcome<T>> {
  try {
    return (yield context.df.callActivity(name, input)) as Outcome<T>;
  } catch (error) {
    return { ok: false, kind: 'user', message: error instanceof Error ? error.message : String(error) };
  }
}

export function* sleep(context: OrchestrationContext, seconds: number): Step<void> {
  const fireAt = context.df.currentUtcDateTime;
  fireAt.setTime(fireAt.getTime() + seconds * 1000);
  yield context.df.createTimer(fireAt);
}

const PLATFORM_TRIES = 6;
const FIRST_DELAY_SECONDS = 2;

/**
 * Calls an activity again, after a growing pause, while the platform is what fails.
 * @param again what the later calls get.
 */
export function* callPatiently<T>(
  context: OrchestrationContext,
  name: string,
  input: object,
  again = input,
): Step<Outcome<T>> {
  for (let tries = 1; ; tries += 1) {
    const outcome = yield* callActivity<T>(context, name, tries === 1 ? input : again);
    if (outcome.ok || outcome.kind !== 'platform' || tries === PLATFORM_TRIES) return outcome;
    const least = Math.max(outcome.retryAfterSeconds ?? 0, backoffSeconds(FIRST_DELAY_SECONDS, tries));
    yield* sleep(context, withJitter(least, `${context.df.instanceId} ${name} ${tries}`));
  }
}
