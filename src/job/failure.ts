/** Whose failure it is. What nobody else is to blame for is charged to the attempt. */
export type Blame =
  /** The user's or ours: fails the job at once and says what to change. */
  | 'user'
  /** One broken image's or frame's: counted against the job's tolerance. */
  | 'item'
  /** The platform's, such as capacity, throttling or eviction: waited out and not charged to the batch's attempts. */
  | 'platform'
  /** The container run's own: the batch has one attempt less. */
  | 'attempt';

/**
 * Whose failure it is decides what happens next:
 * `user`: ours or the user's; fails the job at once with what to change.
 * `item`: one broken image; counted against the job's tolerance.
 * `platform`: capacity, throttling, eviction; waited out and not charged to the batch's attempts.
 */
export type FailureKind = 'user' | 'item' | 'platform';

/** The only error class of the project. `message` is one sentence a user can act on; it never holds a secret. */
export class JobError extends Error {
  readonly kind: FailureKind;
  /** How long whoever failed asked to be left alone. */
  readonly retryAfterSeconds: number | undefined;

  constructor(kind: FailureKind, message: string, options?: ErrorOptions & { retryAfterSeconds?: number }) {
    super(message, options);
    this.name = 'JobError';
    this.kind = kind;
    this.retryAfterSeconds = options?.retryAfterSeconds;
  }
}

/** The message of anything that was thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, ' ').trim();
}
