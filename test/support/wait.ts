import { setTimeout as pause } from 'node:timers/promises';

/**
 * Asks until there is an answer.
 * @param seconds How long it is waited for at most.
 * @param everyMs Pause between two questions; longer where the question is work for what is asked.
 * @throws Error that names what was waited for.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  seconds = 60,
  everyMs = 30,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`Waited ${seconds} seconds for ${what}.`);
    await pause(everyMs);
  }
}
