import type { InvocationContext } from '@azure/functions';
import type { ActivityHandler } from 'durable-functions';
import { readAzureFault, retryAfterOf } from '../compute/azure/fault.js';
import { type Blame, type Failure, JobError, messageOf, type Outcome, shorten } from '../job/failure.js';

/** Makes an activity's handler: what the activity throws goes back to the orchestrator as a value, and into the log. */
export function returnFailure(
  name: string,
  activity: ActivityHandler,
  isPlatform: (error: unknown) => boolean,
): (input: unknown, context: InvocationContext) => Promise<Outcome<unknown>> {
  return async (input, context) => {
    try {
      const value: unknown = await activity(input, context);
      return { ok: true, value };
    } catch (error) {
      const failure = failureOf(error, isPlatform);
      context.warn(`${name}: ${failure.message}`);
      return { ok: false, failure };
    }
  };
}

/** Turns a thrown error into a value. `isPlatform` recognises the errors of the SDKs that are worth waiting out. */
export function failureOf(error: unknown, isPlatform: (error: unknown) => boolean): Failure {
  const blame: Blame = error instanceof JobError ? error.blame : isPlatform(error) ? 'platform' : 'user';
  const text = error instanceof JobError || blame !== 'platform' ? messageOf(error) : sentenceOf(error);
  const message = shorten(text);
  if (blame !== 'platform') return { blame: blame === 'item' ? blame : 'user', message };
  const retryAfterSeconds = error instanceof JobError ? error.retryAfterSeconds : retryAfterOf(error);
  const { inLine, noRoom } = error instanceof JobError ? error : { inLine: false, noRoom: false };
  return {
    blame,
    message,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(inLine ? { inLine } : {}),
    ...(noRoom ? { noRoom } : {}),
  };
}

/** What the SDK or Node says of a failure that passes, as a sentence; the rest of their text may hold a URL with its signature. */
function sentenceOf(error: unknown): string {
  const { status, code, name } = readAzureFault(error);
  const reason = [status === undefined ? undefined : `HTTP ${status}`, code].filter((part) => part !== undefined);
  if (reason.length === 0) reason.push(name === 'AbortError' ? 'the connection was cut' : name);
  return `Storage or the network failed (${reason.join(' ')}).`;
}
