import type { JobStatus } from '../../api/jobs.js';
import { duration, range } from '../words.js';

/** Seconds between which the rest of a job lies in eight of ten cases. */
export interface TimeLeft {
  low: number;
  high: number;
}

interface Sample {
  /** Milliseconds since the epoch. */
  at: number;
  done: number;
}

/** Rates are told apart over at least so long, and of so much of the past. */
const LEAST_MS = 1500;
const PAST_MS = 180_000;
/** How far a new estimate moves what is shown. */
const STEP = 0.3;
/** In a normal distribution, eight of ten values are within so many standard deviations. */
const EIGHT_OF_TEN = 1.28;
const [LEAST_SPREAD, MOST_SPREAD] = [0.07, 0.6];

/**
 * How long a job goes on, from what the app estimates and how much its rate has changed of late. It does not jump: what is shown counts
 * down, and moves to a new estimate in steps.
 * @returns what to call with each status; undefined as long as nobody knows.
 */
export function createTimeLeft(): (job: JobStatus, now: number) => TimeLeft | undefined {
  let of = '';
  let samples: Sample[] = [];
  let shown: (TimeLeft & { at: number }) | undefined;
  return ({ run, stage, items, secondsLeft, state }, now) => {
    const where = `${run} ${stage} ${state}`;
    if (where !== of) [of, samples, shown] = [where, [], undefined];
    const last = samples.at(-1);
    if (!last || (items.done !== last.done && now - last.at >= LEAST_MS)) samples.push({ at: now, done: items.done });
    while (samples.length > 3 && now - (samples[0]?.at ?? now) > PAST_MS) samples.shift();
    if (secondsLeft === null) return undefined;
    const spread = spreadOf(samples);
    const [low, high] = [secondsLeft * (1 - spread), secondsLeft * (1 + spread)];
    if (!shown) shown = { low, high, at: now };
    else {
      const passed = (now - shown.at) / 1000;
      const move = (before: number, to: number) => before - passed + STEP * (to - (before - passed));
      shown = { low: Math.max(0, move(shown.low, low)), high: Math.max(1, move(shown.high, high)), at: now };
    }
    return { low: shown.low, high: shown.high };
  };
}

/** How far the mean of the rates may be from the true one, as a share of it. */
function spreadOf(samples: Sample[]): number {
  const rates = samples.slice(1).map(({ at, done }, k) => {
    const before = samples[k] ?? { at, done };
    return (done - before.done) / Math.max(1, at - before.at);
  });
  if (rates.length < 2) return MOST_SPREAD / 2;
  const mean = rates.reduce((sum, each) => sum + each, 0) / rates.length;
  if (mean <= 0) return MOST_SPREAD;
  const variance = rates.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (rates.length - 1);
  const spread = (EIGHT_OF_TEN * Math.sqrt(variance / rates.length)) / mean;
  return Math.min(MOST_SPREAD, Math.max(LEAST_SPREAD, spread));
}

/** `3–5 min left`; rounded, so that it can be read. */
export function timeLeftInWords({ low, high }: TimeLeft): string {
  if (high < 5) return 'a few seconds left';
  const step = high < 60 ? 5 : high < 90 ? 10 : high < 3600 ? 60 : 600;
  const from = Math.max(step === 5 ? 1 : step, Math.floor(low / step) * step);
  const to = Math.max(from, Math.ceil(high / step) * step);
  return `${range(from, to, duration)} left`;
}
