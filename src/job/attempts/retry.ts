import { counted, type Failure } from '../failure.js';

/** How often and how soon a batch with missing items gets a new container. */
export interface RetryPolicy {
  maxAttempts: number;
  firstDelaySeconds: number;
}

/** How a batch fared so far; starts as `NEW_BATCH`. */
export interface BatchHistory {
  /** Container runs that ended with items missing and count against `maxAttempts`. */
  charged: number;
  /** Failures of the platform in a row, without progress between them; waited out, never counted against `maxAttempts`. */
  platform: number;
  /** When the first of these was seen, in milliseconds since the epoch; 0 while there is none. */
  platformSince: number;
  /** Items that containers ended of, in a row, without one that was scored between them. */
  culprits: number;
}

export const NEW_BATCH: BatchHistory = { charged: 0, platform: 0, platformSince: 0, culprits: 0 };

/** A container run that left items missing, or a launch that failed, and what may be done about it by trying again. */
export interface FailedAttempt {
  failure: Failure & { blame: 'attempt' | 'platform' };
  /** Whether the batch has fewer items missing than before. */
  progressed: boolean;
  /** Whether items were scored. */
  scored: boolean;
  /** Whether it showed that containers end of an item, which is left out from now on. */
  identified: boolean;
  /** When it was seen, in milliseconds since the epoch, on the durable clock. */
  at: number;
}

/**
 * A batch that stands in line saw no failure: that neither uses up patience nor ends it.
 * The runs that it took to find an item that containers end of are not charged: the batch has one item less to score.
 * A container that ran to a charged end, or scored something, shows that the platform works again: patience begins anew.
 */
export function withFailure(before: BatchHistory, failed: FailedAttempt): BatchHistory {
  const { failure, progressed, scored, identified, at } = failed;
  if (failure.inLine) return before;
  const history = scored ? { ...before, culprits: 0 } : before;
  if (identified) return { ...NEW_BATCH, culprits: history.culprits + 1 };
  if (failure.blame === 'attempt') return { ...history, charged: history.charged + 1, platform: 0, platformSince: 0 };
  if (progressed || history.platform === 0) return { ...history, platform: 1, platformSince: at };
  return { ...history, platform: history.platform + 1 };
}

export type NextStep = { step: 'retry'; delaySeconds: number } | { step: 'give-up'; why: string };

const LONGEST_DELAY_SECONDS = 300;
const FIRST_PLATFORM_DELAY_SECONDS = 5;
/** A platform works whose container scored something before it was lost, or that was started anew: the next one need not wait long. */
const DELAY_AFTER_PROGRESS_SECONDS = 1;
/** A batch of which so many items in a row end their containers is scored no further. */
export const MOST_CULPRITS = 10;
/** How long a batch waits for a platform that keeps failing, from the first of its failures in a row. */
export const PLATFORM_PATIENCE_SECONDS = 2 * 3600;

/** Doubles from `first` with each failure, up to five minutes. `failures` counts from 1. */
export function backoffSeconds(first: number, failures: number): number {
  return Math.min(LONGEST_DELAY_SECONDS, first * 2 ** (failures - 1));
}

/**
 * Decides what to do after a failure that `history` counts already.
 * @param name of the batch: it gives batches that failed at the same moment different delays.
 */
export function nextStep(policy: RetryPolicy, history: BatchHistory, failed: FailedAttempt, name: string): NextStep {
  const { charged, platform, platformSince, culprits } = history;
  const { failure, identified, at } = failed;
  if (culprits >= MOST_CULPRITS)
    return {
      step: 'give-up',
      why: `containers ended of each of the last ${culprits} items that were tried, so the others are not tried`,
    };
  if (identified) return { step: 'retry', delaySeconds: policy.firstDelaySeconds };
  if (failure.blame === 'attempt') {
    if (charged >= policy.maxAttempts)
      return {
        step: 'give-up',
        why: `items are still missing after ${charged} of ${counted(policy.maxAttempts, 'attempt')}`,
      };
    return { step: 'retry', delaySeconds: backoffSeconds(policy.firstDelaySeconds, charged) };
  }
  if (failure.inLine) return { step: 'retry', delaySeconds: withJitter(failure.retryAfterSeconds ?? 1, name) };
  const seconds = (at - platformSince) / 1000;
  if (seconds >= PLATFORM_PATIENCE_SECONDS) {
    const why = `the platform failed ${platform} times in a row within ${Math.round(seconds)} seconds`;
    return { step: 'give-up', why };
  }
  if (failure.isOver && platform === 1) return { step: 'retry', delaySeconds: 0 };
  const first = failed.progressed || failure.isOver ? DELAY_AFTER_PROGRESS_SECONDS : FIRST_PLATFORM_DELAY_SECONDS;
  const least = Math.max(failure.retryAfterSeconds ?? 0, backoffSeconds(first, platform));
  return { step: 'retry', delaySeconds: withJitter(least, `${name} ${platform}`) };
}

/**
 * Stretches a delay by up to a quarter, so that what failed together does not come back together. The same text gives the
 * same stretch in every replay: orchestrators must not use randomness.
 * @param text different for each waiter and for each of its waits.
 */
export function withJitter(seconds: number, text: string): number {
  return seconds * (1 + 0.25 * fraction(text));
}

/** From 0 up to 1: the 32-bit FNV-1a hash of the text, mixed once more since its upper bits lag behind the last letters. */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}
