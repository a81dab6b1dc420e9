import { withJitter } from './jitter.js';

/** How often and how soon a batch with missing items gets a new container. */
export interface RetryPolicy {
  maxAttempts: number;
  firstDelaySeconds: number;
}

/** What is known of a batch after one of its containers ended, or could not be launched. */
export interface BatchHistory {
  /** Container runs that ended with items missing and count against `maxAttempts`. */
  charged: number;
  /** Failures of the platform; waited out, never counted against `maxAttempts`. */
  platform: number;
  /** Since the first launch of the batch. */
  elapsedSeconds: number;
}

export type NextStep = { step: 'retry'; delaySeconds: number } | { step: 'give-up'; why: string };

const LONGEST_DELAY_SECONDS = 300;
const FIRST_PLATFORM_DELAY_SECONDS = 5;
/** How long a batch waits for a platform that keeps failing. */
export const PLATFORM_PATIENCE_SECONDS = 2 * 3600;

/** Doubles from `first` with each failure, up to five minutes. `failures` counts from 1. */
export function backoffSeconds(first: number, failures: number): number {
  return Math.min(LONGEST_DELAY_SECONDS, first * 2 ** (failures - 1));
}

/**
 * Decides after an attempt that left items missing; `kind` says whether it is charged (already counted in `history`).
 * @param name of the batch: batches that the platform failed together try again at different times.
 * @param retryAfterSeconds what the platform asked for, if anything.
 */
export function nextStep(
  policy: RetryPolicy,
  history: BatchHistory,
  kind: 'charged' | 'platform',
  name: string,
  retryAfterSeconds = 0,
): NextStep {
  if (kind === 'charged') {
    if (history.charged >= policy.maxAttempts) {
      return {
        step: 'give-up',
        why: `items are still missing after ${history.charged} of ${policy.maxAttempts} attempts`,
      };
    }
    return { step: 'retry', delaySeconds: backoffSeconds(policy.firstDelaySeconds, history.charged) };
  }
  if (history.elapsedSeconds >= PLATFORM_PATIENCE_SECONDS) {
    return {
      step: 'give-up',
      why: `the platform failed ${history.platform} times within ${Math.round(history.elapsedSeconds)} seconds`,
    };
  }
  const least = Math.max(retryAfterSeconds, backoffSeconds(FIRST_PLATFORM_DELAY_SECONDS, history.platform));
  return { step: 'retry', delaySeconds: withJitter(least, `${name} ${history.platform}`) };
}
