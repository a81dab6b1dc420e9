import type { InvocationContext, TimerHandler } from '@azure/functions';
import { counted, messageOf } from '../job/failure.js';
import { removeDays } from '../job-store/callers/days.js';
import { removeClaims } from '../job-store/inbox/claims.js';
import { type EntryKey, findEntries } from '../job-store/list/job-list.js';
import { dueOf, type KnownJob, listJobs, oldest, removeJob, type Retention } from '../job-store/retention.js';
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

/** Longer than any event comes again, and than the sweep looks back for new media. */
const CLAIMS_MS = 30 * 86_400_000;

/**
 * Removes what ended jobs have left in storage for longer than the settings say. A job that has not ended keeps everything, and so does
 * one whose frames were asked for; what was delivered stays. Removes old claims, too.
 */
export function createRetire({ storage, retention, stateOf, now = Date.now }: RetirePorts): TimerHandler {
  const retire = async (context: InvocationContext, job: KnownJob, listed: () => Promise<Map<string, EntryKey[]>>) => {
    const due = dueOf(job, retention, now());
    if (!due.frames || (job.outcome === 'unfinished' && (await isAlive(context, job.jobId)))) return;
    const { records } = due;
    await removeJob(storage, job.jobId, { records, listed: records ? (await listed()).get(job.jobId) : [] });
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
    let entries: ReturnType<typeof findEntries> | undefined;
    const listed = () => (entries ??= findEntries(storage));
    for await (const job of listJobs(storage, oldest(retention, now()))) {
      try {
        await retire(context, job, listed);
      } catch (error) {
        // The next run tries again; the other jobs need not wait for that.
        context.error(`retire: job ${job.jobId} keeps its files: ${messageOf(error)}`);
      }
    }
  };
}
