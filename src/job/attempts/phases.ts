import type { TimeSplit } from './bottleneck.js';

/** The steps of an attempt until its result is stored, in their order; each is named after what ends it. */
export const PHASES = ['queued', 'pulled', 'started', 'modelLoaded', 'firstItem', 'lastItem', 'stored'] as const;
export type Phase = (typeof PHASES)[number];

/** When the phases ended, ISO 8601; what nobody saw is absent, as pulling is where there is no image. */
export type PhaseTimes = Partial<Record<Phase, string>>;

/** Seconds per phase. */
export type PhaseSeconds = Partial<Record<Phase, number>>;

/** One attempt's way through its phases. */
export interface AttemptPhases {
  attempt: number;
  /** When it was launched, ISO 8601. */
  launched: string;
  ended: PhaseTimes;
  seconds: PhaseSeconds;
  /** When its container ended, ISO 8601, or was last heard of. */
  endedAt?: string;
  /** What its time went into; absent in records of older versions. */
  split?: TimeSplit;
}

/** Clocks differ between platform and container: a phase that seems to end before the one before takes no time. */
export function describePhases(
  attempt: number,
  launched: string,
  ended: PhaseTimes,
  containerEnd?: string,
): AttemptPhases {
  const endedAt = latest([launched, ...Object.values(ended), ...(containerEnd === undefined ? [] : [containerEnd])]);
  const seconds: PhaseSeconds = {};
  let before = Date.parse(launched);
  for (const phase of PHASES) {
    const end = Date.parse(ended[phase] ?? '');
    if (Number.isNaN(end)) continue;
    seconds[phase] = Math.round(Math.max(0, end - before)) / 1000;
    before = Math.max(before, end);
  }
  return { attempt, launched, ended, seconds, endedAt };
}

const latest = (times: string[]): string =>
  times.reduce((last, time) => (Date.parse(time) > Date.parse(last) ? time : last));

/** How long a container had its place, which is what a platform bills; 0 when nobody saw that it had one. */
export function containerSeconds({ ended, endedAt = '' }: AttemptPhases): number {
  const from = Date.parse(PHASES.flatMap((phase) => ended[phase] ?? [])[0] ?? '');
  const to = Date.parse(endedAt);
  return Number.isNaN(from) || Number.isNaN(to) ? 0 : Math.max(0, to - from) / 1000;
}

/** Sums that can be added up: of each phase how many attempts went through it, their seconds, and the longest. */
export type PhaseSums = Partial<Record<Phase, [count: number, seconds: number, longest: number]>>;

export function sumPhases(parts: PhaseSums[]): PhaseSums {
  const sums: PhaseSums = {};
  for (const part of parts) {
    for (const phase of PHASES) {
      const added = part[phase];
      if (!added) continue;
      const [count, seconds, longest] = sums[phase] ?? [0, 0, 0];
      sums[phase] = [count + added[0], seconds + added[1], Math.max(longest, added[2])];
    }
  }
  return sums;
}

export const sumsOf = (attempts: AttemptPhases[]): PhaseSums =>
  sumPhases(
    attempts.map(({ seconds }) =>
      Object.fromEntries(Object.entries(seconds).map(([phase, value]) => [phase, [1, value, value]])),
    ),
  );

/** Seconds that each phase took, over all attempts. */
export type PhaseSummary = Partial<Record<Phase, { mean: number; longest: number }>>;

export function summarize(sums: PhaseSums): PhaseSummary {
  const round = (value: number) => Math.round(value * 1000) / 1000;
  return Object.fromEntries(
    Object.entries(sums).map(([phase, [count, seconds, longest]]) => [
      phase,
      { mean: round(seconds / count), longest: round(longest) },
    ]),
  );
}
