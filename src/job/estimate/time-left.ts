import type { Span } from './estimate.js';

/** What was said before still counts for as long as the job seems to need, within these bounds in seconds. */
const LEAST_WINDOW = 5;
const LONGEST_WINDOW = 60;
/** How far a first estimate may be off, as a share of it; less the more often it was said. */
const DOUBT = 0.25;
const LOW = 0.1;
const HIGH = 0.9;

/**
 * Makes a range of the one number that a job's status gives for the time that is left: each look at the job foretells an end, and the range
 * holds all but the outermost of the ends that were foretold lately. So it is wide while the estimate jumps, and moves slowly.
 */
export function createTimeLeft() {
  let foretold: { at: number; end: number }[] = [];
  let before: string | null = null;
  return {
    /** @param at seconds on any clock. @returns null while nobody knows. */
    look({ stage, secondsLeft }: { stage: string | null; secondsLeft: number | null }, at: number): Span | null {
      if (stage !== before) foretold = [];
      before = stage;
      if (secondsLeft === null) return null;
      const window = Math.min(LONGEST_WINDOW, Math.max(LEAST_WINDOW, secondsLeft));
      foretold = [...foretold.filter((each) => at - each.at < window), { at, end: at + secondsLeft }];
      const ends = foretold.map(({ end }) => end - at).toSorted((one, other) => one - other);
      const doubt = (secondsLeft * DOUBT) / Math.sqrt(foretold.length);
      return {
        low: Math.max(0, Math.min(shareOf(ends, LOW), secondsLeft - doubt)),
        high: secondsLeft === 0 ? 0 : Math.max(shareOf(ends, HIGH), secondsLeft + doubt),
      };
    },
  };
}

const shareOf = (sorted: number[], share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
