import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../fault.js';
import type { Log } from '../log.js';

/** Repeats work on storage every second until it succeeds or the host stops. */
export async function untilStored(
  work: () => Promise<void>,
  log: Log,
  stopped: () => boolean,
  firstDelay = 0,
): Promise<void> {
  if (firstDelay > 0) await sleep(firstDelay);
  while (!stopped()) {
    try {
      await work();
      return;
    } catch (error) {
      log.warn(`Storage: ${messageOf(error)}. Trying again in a second.`);
      await sleep(1000);
    }
  }
}
