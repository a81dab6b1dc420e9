import { retryAfterOf } from './azure-fault.js';
import { messageOf, JobError } from './failure.js';

/**
 * What every activity returns. Failures travel as values: of a thrown error only its text would survive the host, and a
 * throwing branch would end a Task.all while its siblings still run.
 */
export type Outcome<T> = { ok: true; value: T } | Failure;

export interface Failure {
  ok: false;
  kind: 'user' | 'platform';
  message: string;
  /** The least time to wait before trying again, when the platform named one. */
  retryAfterSeconds?: number;
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
