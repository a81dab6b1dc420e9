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
