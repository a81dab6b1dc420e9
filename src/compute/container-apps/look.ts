import { setTimeout as pause } from 'node:timers/promises';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;
/** How long it is looked for something that Azure has promised. */
export const PATIENCE_SECONDS = 20;

/** Looks again, after growing pauses, until there is an answer; undefined when there is none in 20 seconds. */
export async function lookFor<T>(look: () => Promise<T | undefined>): Promise<T | undefined> {
  const deadline = Date.now() + PATIENCE_SECONDS * 1000;
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(LONGEST_PAUSE_MS, wait * 2)) {
    const answer = await look();
    if (answer !== undefined || Date.now() > deadline) return answer;
    await pause(wait);
  }
}
