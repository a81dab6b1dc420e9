import { type DailyLimits, dayOf, DEPLOYMENT, hasLimits } from '../job/daily-limits.js';
import { countRun } from '../job-store/callers/days.js';
import { writeOwner } from '../job-store/callers/owners.js';
import { givePlaces, takePlace } from '../job-store/inbox/places.js';
import type { Storage } from '../storage/storage.js';
import type { Ports } from './ports.js';

export interface TakePlaceInput {
  jobId: string;
  /** Expected ones. */
  items: number;
}

/**
 * Gives a job that has waited for its images a place beside those that run, and counts it for the day. @returns why there is none, if there is
 * none.
 * @throws JobError `user` when it is more than may be had in a day.
 */
export function createTakePlace({
  storage,
  limits,
  dailyLimits = {},
}: Pick<Ports, 'storage' | 'limits' | 'dailyLimits'>) {
  return async ({ jobId, items }: TakePlaceInput): Promise<{ full?: string }> => {
    if (limits === undefined) return {};
    const place = await takePlace(storage, { job: jobId, items, bytes: 0 }, limits);
    if (typeof place === 'string') return { full: place };
    if (!hasLimits(dailyLimits)) return {};
    const over = await countToday(storage, jobId, items, dailyLimits);
    if (over === undefined) return {};
    await givePlaces(storage, [jobId]);
    if (over.blame === 'user') throw over;
    return { full: over.message };
  };
}

/** What waits for its images was started by new media. */
async function countToday(storage: Storage, jobId: string, items: number, limits: DailyLimits) {
  const now = Date.now();
  const day = dayOf(now);
  const over = await countRun(storage, { jobId, owner: DEPLOYMENT, day }, { items, bytes: 0 }, { limits, now });
  if (over === undefined) await writeOwner(storage, jobId, { owner: DEPLOYMENT, day });
  return over;
}
