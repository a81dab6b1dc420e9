import type { ActivityHandler } from 'durable-functions';
import { failureOf, type Outcome } from '../job/outcome.js';

/** Makes an activity's handler: what the activity throws goes back to the orchestrator as a value, and into the log. */
export function returnFailure(
  name: string,
  activity: (input: never) => Promise<object>,
  isPlatform: (error: unknown) => boolean,
): ActivityHandler {
  return async (input: unknown, context): Promise<Outcome<object>> => {
    try {
      return { ok: true, value: await activity(input as never) };
    } catch (error) {
      const failure = failureOf(error, isPlatform);
      context.warn(`${name}: ${failure.message}`);
      return failure;
    }
  };
}
