import {
  type Charge,
  type DailyLimits,
  type Day,
  dayOf,
  hasLimits,
  runName,
  sumOfDay,
  whyOver,
  withoutRun,
  withRun,
} from '../../job/daily-limits.js';
import { JobError } from '../../job/failure.js';
import type { OfRun } from '../../job/run.js';
import { changeJson, listBlobs, readJson, type Storage } from '../../storage/storage.js';
import { DAYS_PREFIX, dayBlob, limitsOf } from '../layout.js';
import { readOwner } from './owners.js';

/** A run of a job that counts for its caller. */
interface Counted extends OfRun {
  owner: string;
  day: string;
}

/** What a caller has started in a day so far. */
export const readDay = async (storage: Storage, owner: string, now: number) =>
  sumOfDay((await readJson<Day>(limitsOf(storage), dayBlob(dayOf(now), owner))) ?? {});

/**
 * Counts a run of a job, or what has become known of it, once for however often that is done.
 * @param now milliseconds since the epoch.
 * @returns why it may not count for so much; undefined when it does.
 */
export async function countRun(
  storage: Storage,
  { jobId, run, owner, day }: Counted,
  charge: Charge,
  { limits, now }: { limits: DailyLimits; now: number },
): Promise<JobError | undefined> {
  let over: JobError | undefined;
  await changeJson<Day | undefined>(limitsOf(storage), dayBlob(day, owner), (before) => {
    over = whyOver(before ?? {}, runName(jobId, run), charge, { limits, now });
    return over ? before : withRun(before ?? {}, runName(jobId, run), charge);
  });
  return over;
}

/** Counts a run no longer that never began. */
export async function forgetRun(storage: Storage, { jobId, run, owner, day }: Counted): Promise<void> {
  await changeJson<Day | undefined>(limitsOf(storage), dayBlob(day, owner), (before) =>
    before === undefined ? before : withoutRun(before, runName(jobId, run)),
  );
}

/**
 * Counts a job with its true size, once that is known.
 * @throws JobError `user` when it is more than its caller may have on that day: the job ends, and can be started once more on another one.
 */
export async function countSize(
  storage: Storage,
  { jobId, run }: OfRun,
  size: Partial<Charge>,
  limits: DailyLimits = {},
): Promise<void> {
  if (!hasLimits(limits)) return;
  const record = await readOwner(storage, jobId);
  if (record?.day === undefined) return;
  const { owner, day } = record;
  const counted = (await readJson<Day>(limitsOf(storage), dayBlob(day, owner)))?.[runName(jobId, run)];
  if (!counted) return;
  const over = await countRun(
    storage,
    { jobId, ...(run !== undefined && { run }), owner, day },
    { ...counted, ...size },
    { limits, now: Date.now() },
  );
  if (over) throw new JobError('user', over.message);
}

const KEPT_MS = 8 * 86_400_000;

/** Removes the counts of days that are over for so long that no run of a job asks for them. @param now milliseconds since the epoch. */
export async function removeDays(storage: Storage, now: number): Promise<void> {
  const kept = dayOf(now - KEPT_MS);
  for await (const { name } of listBlobs(limitsOf(storage), { prefix: DAYS_PREFIX }))
    if (name.slice(DAYS_PREFIX.length) < kept) await limitsOf(storage).getBlobClient(name).deleteIfExists();
}
