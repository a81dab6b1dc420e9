import { setTimeout as pause } from 'node:timers/promises';

/** Asks every 30 ms until there is an answer. @throws after `seconds`, naming what was waited for. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  seconds = 60,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`Waited ${seconds} seconds for ${what}.`);
    await pause(30);
  }
}
