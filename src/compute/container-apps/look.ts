import { poll } from '../../poll.js';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;
/** How long to look for something that Azure has promised. */
export const PATIENCE_SECONDS = 20;

/** Looks again, after growing pauses, until there is an answer; undefined when there is none in 20 seconds. */
export const lookFor = <T>(look: () => Promise<T | undefined>): Promise<T | undefined> =>
  poll(look, {
    pauseMs: (looks) => Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (looks - 1)),
    withinMs: PATIENCE_SECONDS * 1000,
  });
