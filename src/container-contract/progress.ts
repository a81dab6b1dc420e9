import type { ScorerSplit } from '../job/attempts/bottleneck.js';
import type { PhaseTimes } from '../job/attempts/phases.js';

/** When the scorer reached the phases that it can see itself, ISO 8601. */
export type ScorerTimes = Pick<PhaseTimes, 'modelLoaded' | 'firstItem' | 'lastItem'>;

/** What a running scorer says of itself, first every second and then less often: the progress blob. Times are ISO 8601. */
export interface AttemptProgress extends AttemptCounts {
  batch: number;
  total: number;
  phase: 'starting' | 'scoring' | 'ended';
  startedAt: string;
  /** When the number of handled items last changed, or the start-up went on: what the stall watchdog looks at. */
  lastItemAt: string;
  times: ScorerTimes;
  /** What the result will say of the failed items: of a scorer that is ended from outside, nothing else tells it. */
  failedItems: { name: string; reason: string }[];
  /** What its time until `updatedAt` went into, in milliseconds; absent in the progress of older scorers. */
  split?: ScorerSplit;
  updatedAt: string;
  /** Until its next report; absent in the last one, and in those of older scorers, which reported every second. */
  pauseSeconds?: number;
}

/** The part of the progress that a listing of blobs brings along as metadata. */
export interface AttemptCounts {
  attempt: number;
  /** Items that this run scored. */
  done: number;
  /** Items whose output existed before this run. */
  skipped: number;
  failed: number;
}

/** Metadata of the progress blob: keys in lower case, values in ASCII. */
export function progressMetadata(progress: AttemptProgress): Record<string, string> {
  const { done, skipped, failed, total, phase, attempt, lastItemAt, pauseSeconds } = progress;
  return {
    done: String(done),
    skipped: String(skipped),
    failed: String(failed),
    total: String(total),
    phase,
    attempt: String(attempt),
    lastitemat: lastItemAt,
    ...(pauseSeconds !== undefined && { pause: String(pauseSeconds) }),
  };
}

/** Reads what `progressMetadata` wrote. */
export function readProgressMetadata(metadata: Record<string, string>): AttemptCounts & { pauseSeconds: number } {
  const number = (key: string, fallback = 0) => Number(metadata[key] ?? fallback);
  return {
    attempt: number('attempt'),
    done: number('done'),
    skipped: number('skipped'),
    failed: number('failed'),
    pauseSeconds: number('pause', 1),
  };
}
