import { counted, JobError } from './failure.js';

/** What a caller may have done in a day, by UTC; what is left out has no limit. */
export interface DailyLimits {
  jobs?: number | undefined;
  items?: number | undefined;
  /** Of the videos that jobs begin with. */
  bytes?: number | undefined;
}

/** What a run of a job counts for, as far as it is known; 0 before. */
export interface Charge {
  items: number;
  bytes: number;
}

/** The runs that a caller has started in a day, by their names. */
export type Day = Record<string, Charge>;

export const hasLimits = ({ jobs, items, bytes }: DailyLimits): boolean =>
  [jobs, items, bytes].some((limit) => limit !== undefined);

/** @param now milliseconds since the epoch. */
export const dayOf = (now: number): string => new Date(now).toISOString().slice(0, 10);

/** Whose job new media starts. No caller has this id. */
export const DEPLOYMENT = 'inbox';

export const runName = (jobId: string, run = 1): string => (run === 1 ? jobId : `${jobId} ${run}`);

export const sumOfDay = (day: Day) => ({
  jobs: Object.keys(day).length,
  items: sumOf(day, 'items'),
  bytes: sumOf(day, 'bytes'),
});

const sumOf = (day: Day, of: keyof Charge): number => Object.values(day).reduce((sum, each) => sum + each[of], 0);

/** With what a run counts for; the same when that was known. */
export function withRun(day: Day, run: string, charge: Charge): Day {
  const before = day[run];
  return before?.items === charge.items && before.bytes === charge.bytes ? day : { ...day, [run]: charge };
}

/** Without a run that never began; the same when there is none. */
export function withoutRun(day: Day, run: string): Day {
  if (!(run in day)) return day;
  return Object.fromEntries(Object.entries(day).filter(([name]) => name !== run));
}

const DAY_MS = 86_400_000;
const GIB = 1024 ** 3;

/** When the day after this one begins: milliseconds since the epoch. */
export const nextDay = (now: number): number => (Math.floor(now / DAY_MS) + 1) * DAY_MS;

/**
 * Why a run may not count for so much, if it may not: `platform` for what fits on another day, with the seconds until then, and `user` for what
 * fits on none. A run that has begun goes on, whatever others count for; only its own growth is looked at.
 * @param now milliseconds since the epoch.
 */
export function whyOver(
  day: Day,
  run: string,
  charge: Charge,
  { limits, now }: { limits: DailyLimits; now: number },
): JobError | undefined {
  const before = day[run];
  const others = withoutRun(day, run);
  const started = Object.keys(others).length;
  const over = (what: string, setting: string) => tooMuch(`${what} a day (${setting})`, now);
  if (!before && limits.jobs !== undefined && started >= limits.jobs)
    return over(`This caller has started ${counted(started, 'job')}, and may start at most ${limits.jobs}`, JOBS);
  for (const { of, setting, words } of SIZES) {
    const limit = limits[of];
    const wanted = charge[of];
    if (limit === undefined || (before && wanted <= before[of])) continue;
    if (wanted > limit)
      return new JobError(
        'user',
        `The job has ${words(wanted)}, and its caller may have no more than ${words(limit)} scored in a day (${setting}); make it smaller.`,
      );
    const used = sumOf(others, of);
    if (used + Math.max(wanted, before ? 0 : 1) > limit)
      return over(
        `This caller has started jobs with ${words(used)} of input, and may have at most ${words(limit)} scored`,
        setting,
      );
  }
  return undefined;
}

const tooMuch = (what: string, now: number): JobError => {
  const opens = nextDay(now);
  return new JobError('platform', `${what}; the next day begins at ${new Date(opens).toISOString().slice(0, 16)}Z.`, {
    retryAfterSeconds: Math.ceil((opens - now) / 1000),
    inLine: true,
  });
};

/** The settings with the limits, for sentences. */
const JOBS = 'MOST_JOBS_PER_DAY';
const SIZES = [
  { of: 'items', setting: 'MOST_ITEMS_PER_DAY', words: (items: number) => counted(items, 'item') },
  {
    of: 'bytes',
    setting: 'MOST_GIB_PER_DAY',
    words: (bytes: number) => `${Math.ceil((bytes / GIB) * 1000) / 1000} GiB`,
  },
] as const;
