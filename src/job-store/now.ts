import { readProgressMetadata } from '../container-contract/progress.js';
import type { RunningCounts } from '../job/progress.js';
import { listBlobs, type Storage } from '../storage/storage.js';
import { type ListedSettled, settledOf } from './batches/settled.js';
import { type Waiting, waitingOf } from './batches/waiting.js';
import { jobOf, NOW_PREFIX, type OwnStage, parseNowBlob } from './layout.js';
import { stageDoneOf } from './stage-progress.js';

/** What was last stored of a job that runs, or has run. */
export interface JobNow {
  settled: ListedSettled[];
  /** By attempt, what the scorers last said of themselves. */
  reports: Report[];
  waiting: Waiting[];
  /** Of the stages that are the app's own. */
  stages: Partial<Record<OwnStage, StageReport>>;
}

/** A report of a scorer. */
export interface Report extends RunningCounts {
  /** When it was stored, in milliseconds since the epoch. */
  at: number;
  /** What the scorer then said to be the time until its next report. */
  pauseSeconds: number;
  /** Whether it is the scorer's last one. */
  isLast: boolean;
}

export interface StageReport {
  /** Items that the stage has handled, over all its chunks. */
  done: number;
  /** When its latest report was stored, in milliseconds since the epoch. */
  at: number;
}

/** All of it from one listing, whose metadata hold it, however many items the job has. */
export async function readNow(storage: Storage, jobId: string): Promise<JobNow> {
  const now: JobNow = { settled: [], reports: [], waiting: [], stages: {} };
  const blobs = listBlobs(jobOf(storage, jobId), { prefix: NOW_PREFIX, includeMetadata: true });
  for await (const { name, metadata = {}, properties } of blobs) {
    const key = parseNowBlob(name);
    if (!key) continue;
    const at = properties.lastModified.getTime();
    if (key.kind === 'settled') now.settled.push(settledOf(key.batch, metadata));
    else if (key.kind === 'waiting') now.waiting.push(waitingOf(key.batch, metadata));
    else if (key.kind === 'stages') {
      const others = now.stages[key.stage] ?? { done: 0, at: 0 };
      now.stages[key.stage] = { done: others.done + stageDoneOf(metadata), at: Math.max(others.at, at) };
    } else {
      const { batch, attempt } = key;
      now.reports.push({ ...readProgressMetadata(metadata), batch, attempt, at, isLast: metadata.phase === 'ended' });
    }
  }
  return now;
}
