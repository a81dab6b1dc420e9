import { setTimeout as sleep } from 'node:timers/promises';

export interface PollOptions {
  /** Milliseconds between two asks; a function is told how often it was asked so far, from 1. */
  pauseMs: number | ((asked: number) => number);
  /** Milliseconds after which nobody asks any more; without it there is no end. */
  withinMs?: number;
  /** Cuts the pause short when it is aborted; whether to go on then is up to `ask`. */
  wake?: AbortSignal;
}

/**
 * Asks until there is an answer, at least once, and a last time when the time is over.
 * @returns the answer; undefined when there was none in time.
 * @throws whatever `ask` throws.
 */
export async function poll<T>(
  ask: () => Promise<T | undefined>,
  options: PollOptions & { withinMs?: undefined },
): Promise<T>;
export async function poll<T>(ask: () => Promise<T | undefined>, options: PollOptions): Promise<T | undefined>;
export async function poll<T>(
  ask: () => Promise<T | undefined>,
  { pauseMs, withinMs = Infinity, wake }: PollOptions,
): Promise<T | undefined> {
  const deadline = performance.now() + withinMs;
  for (let asked = 1; ; asked += 1) {
    const last = performance.now() >= deadline;
    const answer = await ask();
    if (answer !== undefined || last) return answer;
    const pause = typeof pauseMs === 'number' ? pauseMs : pauseMs(asked);
    const left = Math.max(0, deadline - performance.now());
    await sleep(Math.min(pause, left), undefined, { signal: wake }).catch((error: unknown) => {
      if (wake?.aborted !== true) throw error;
    });
  }
}
