import type { ScorerSplit } from '../job/attempts/bottleneck.js';
import type { PhaseTimes } from '../job/attempts/phases.js';
import type { ReportedProgress } from '../job/attempts/watch.js';

/** When the scorer reached the phases that it can see itself, ISO 8601. */
export type ScorerTimes = Pick<PhaseTimes, 'modelLoaded' | 'firstItem' | 'lastItem'>;

/** What a running scorer says of itself, when there is news and now and then: the progress blob. Times are ISO 8601. */
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
  /** Index of the item that is scored alone, of a run that has to announce each; absent from the others. */
  alone?: number;
  /** Index of the item up to which work may come before the next report that names another one. */
  reach?: number;
  /** Until its next report at the latest; absent in the last one, and in those of older scorers, which reported every second. */
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
  /** The attempt of the batch that this run helps; absent of one that does not. */
  helps?: number;
}

/** Metadata of the progress blob: keys in lower case, values in ASCII. */
export function progressMetadata(progress: AttemptProgress): Record<string, string> {
  const { done, skipped, failed, total, phase, attempt, helps } = progress;
  const { startedAt, lastItemAt, updatedAt, pauseSeconds, times } = progress;
  return {
    done: String(done),
    skipped: String(skipped),
    failed: String(failed),
    total: String(total),
    phase,
    attempt: String(attempt),
    ...(helps !== undefined && { helps: String(helps) }),
    startedat: startedAt,
    lastitemat: lastItemAt,
    updatedat: updatedAt,
    ...(times.modelLoaded !== undefined && { modelloaded: times.modelLoaded }),
    ...(times.firstItem !== undefined && { firstitem: times.firstItem }),
    ...(pauseSeconds !== undefined && { pause: String(pauseSeconds) }),
  };
}

/** Set by a container that waits to help: the one whose progress it is finds a version that it has not written. */
export const RUNG = 'rung';

/** Whether this is the last thing that a scorer has said. */
export const isLastReport = ({ phase }: Record<string, string>): boolean => phase === 'ended';

/** Reads what `progressMetadata` wrote. @returns with `watched`, which those of older scorers do not tell in full. */
export function readProgressMetadata(metadata: Record<string, string>): AttemptCounts & {
  pauseSeconds: number;
  times: Pick<ScorerTimes, 'modelLoaded' | 'firstItem'>;
  watched?: ReportedProgress;
} {
  const number = (key: string, fallback = 0) => Number(metadata[key] ?? fallback);
  const counts = {
    done: number('done'),
    skipped: number('skipped'),
    failed: number('failed'),
    pauseSeconds: number('pause', 1),
  };
  const { startedat: startedAt, lastitemat: lastItemAt, updatedat: updatedAt } = metadata;
  const isWhole = startedAt !== undefined && lastItemAt !== undefined && updatedAt !== undefined;
  const times = {
    ...(metadata.modelloaded !== undefined && { modelLoaded: metadata.modelloaded }),
    ...(metadata.firstitem !== undefined && { firstItem: metadata.firstitem }),
  };
  return {
    attempt: number('attempt'),
    ...(metadata.helps !== undefined && { helps: number('helps') }),
    ...counts,
    times,
    ...(isWhole && { watched: { ...counts, total: number('total'), startedAt, lastItemAt, updatedAt, times } }),
  };
}
