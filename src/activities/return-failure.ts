import type { ActivityHandler } from 'durable-functions';
import { retryAfterOf } from '../compute/azure/fault.js';
import { JobError, messageOf } from '../job/failure.js';
import type { Failure, Outcome } from '../job/outcome.js';

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

/** Longest failure text that travels through an orchestrator. */
const LONGEST_MESSAGE = 600;

/** Turns a thrown error into a value. `isPlatform` recognises the errors of the SDKs that are worth waiting out. */
export function failureOf(error: unknown, isPlatform: (error: unknown) => boolean): Failure {
  const kind =
    error instanceof JobError
      ? error.kind === 'platform'
        ? 'platform'
        : 'user'
      : isPlatform(error)
        ? 'platform'
        : 'user';
  const failure: Failure = { ok: false, kind, message: messageOf(error).slice(0, LONGEST_MESSAGE) };
  const retryAfterSeconds = error instanceof JobError ? error.retryAfterSeconds : retryAfterOf(error);
  return kind === 'user' || retryAfterSeconds === undefined ? failure : { ...failure, retryAfterSeconds };
}
