import type { ScorerSplit } from '../job/bottleneck.js';
import type { PhaseTimes } from '../job/phases.js';

/** When the scorer reached the phases that it can see itself, ISO 8601. */
export type ScorerTimes = Pick<PhaseTimes, 'modelLoaded' | 'firstItem' | 'lastItem'>;

/** What a running scorer says of itself, at least once a second: the progress blob. Times are ISO 8601. */
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
  const { done, skipped, failed, total, phase, attempt, lastItemAt } = progress;
  return {
    done: String(done),
    skipped: String(skipped),
    failed: String(failed),
    total: String(total),
    phase,
    attempt: String(attempt),
    lastitemat: lastItemAt,
  };
}

/** Reads what `progressMetadata` wrote. */
export function readProgressMetadata(metadata: Record<string, string>): AttemptCounts {
  const number = (key: string) => Number(metadata[key] ?? 0);
  return { attempt: number('attempt'), done: number('done'), skipped: number('skipped'), failed: number('failed') };
}
