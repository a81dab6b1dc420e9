import type { InvocationContext, TimerHandler } from '@azure/functions';
import { counted, messageOf } from '../job/failure.js';
import { removeDays } from '../job-store/callers/days.js';
import { removeClaims } from '../job-store/inbox/claims.js';
import { type EntryKey, findEntries } from '../job-store/list/job-list.js';
import {
  dueOf,
  findFramed,
  type KnownJob,
  listJobs,
  listWithoutRecords,
  mayBeDue,
  removeJob,
  type Retention,
} from '../job-store/retention.js';
import type { Storage } from '../storage/storage.js';
import { hasEnded } from './jobs.js';

interface RetirePorts {
  storage: Storage;
  retention: Retention;
  /** Runtime status of a job's orchestration; undefined when this app knows none. */
  stateOf: (context: InvocationContext, jobId: string) => Promise<string | undefined>;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

const DAY_MS = 86_400_000;
/** Longer than any event comes again, and than the sweep looks back for new media. */
const CLAIMS_MS = 30 * DAY_MS;

/**
 * Removes what ended jobs have left in storage for longer than the settings say. A job that has not ended keeps everything, and so does
 * one whose frames were asked for; what was delivered stays. Removes old claims, too.
 */
export function createRetire({ storage, retention, stateOf, now = Date.now }: RetirePorts): TimerHandler {
  const retire = async (context: InvocationContext, job: KnownJob, entries: Map<string, EntryKey[]>) => {
    const { frames, records } = dueOf(job, retention, now());
    if (!frames || (job.outcome === 'unfinished' && (await isAlive(context, job.jobId)))) return;
    await removeJob(storage, job.jobId, { records, listed: entries.get(job.jobId) });
    context.info(`retire: removed the ${records ? 'records' : 'frames'} of job ${job.jobId} (${job.outcome})`);
  };
  const isAlive = async (context: InvocationContext, jobId: string) => {
    const state = await stateOf(context, jobId);
    return state !== undefined && !hasEnded(state);
  };
  return async (_, context) => {
    const claims = await removeClaims(storage, now() - CLAIMS_MS);
    if (claims > 0) context.info(`retire: removed ${counted(claims, 'old claim')} to new media`);
    await removeDays(storage, now());
    if (retention.framesDays === 0 && retention.recordsDays === 0) return;
    const framed = await findFramed(storage);
    const isWanted = (jobId: string, began: number) =>
      mayBeDue({ began, hasFrames: framed.has(jobId) }, retention, now());
    const entries = retention.recordsDays === 0 ? new Map<string, EntryKey[]>() : await findEntries(storage);
    const oldest = now() - retention.recordsDays * DAY_MS;
    for (const jobs of [listJobs(storage, isWanted), listWithoutRecords(storage, entries, oldest)])
      for await (const job of jobs) {
        try {
          await retire(context, job, entries);
        } catch (error) {
          // The next run tries again; the other jobs need not wait for that.
          context.error(`retire: job ${job.jobId} keeps its files: ${messageOf(error)}`);
        }
      }
  };
}
