import { poll } from '../../src/poll.js';

/** Pause between two looks at a job: one is work for the stack, 25 milliseconds of a core, which is to score meanwhile. */
export const LOOK_MS = 250;

/**
 * Asks until there is an answer.
 * @param everyMs Pause between two questions; longer where answering them is work for the app.
 * @param seconds Longest wait for it.
 * @throws Error that names what was waited for.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  everyMs = 30,
  seconds = 200,
): Promise<T> {
  const answer = await poll(async () => ask(), { pauseMs: everyMs, withinMs: seconds * 1000 });
  if (answer === undefined) throw new Error(`Waited ${seconds} seconds for ${what}.`);
  return answer;
}
