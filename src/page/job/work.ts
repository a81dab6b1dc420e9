import { useEffect } from 'preact/hooks';
import type { App } from '../app.js';

/** What a component does beside showing something, for as long as it is shown. */

const sentenceOf = (error: unknown) => (error instanceof Error ? error.message : 'That did not work; try again.');

/**
 * Does something once, and anew when `keys` change.
 * @param work ends when its signal says so.
 * @param failed gets a sentence when it does not work; left out: then nothing is shown in its place.
 */
export function useWork(
  work: (signal: AbortSignal) => Promise<void>,
  keys: unknown[],
  failed: (sentence: string) => void = () => undefined,
): void {
  useEffect(() => {
    const stopping = new AbortController();
    const run = async () => {
      try {
        await work(stopping.signal);
      } catch (error) {
        if (!stopping.signal.aborted) failed(sentenceOf(error));
      }
    };
    void run();
    return () => stopping.abort();
  }, keys);
}

const AFTER_FAILURE_MS = 10_000;

/**
 * Does something again and again.
 * @param step one turn; gives the milliseconds until the next one, or undefined when it is over.
 */
export function useSteps(
  app: App,
  step: (signal: AbortSignal) => Promise<number | undefined>,
  keys: unknown[],
  failed: (sentence: string) => void = () => undefined,
): void {
  useWork(
    async (signal) => {
      while (!signal.aborted) {
        const pause = await step(signal).catch((error: unknown) => {
          if (!signal.aborted) failed(sentenceOf(error));
          return AFTER_FAILURE_MS;
        });
        if (pause === undefined) return;
        await passed(app, pause, signal);
      }
    },
    [app, ...keys],
  );
}

const passed = (app: App, milliseconds: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const cancel = app.clock.after(milliseconds, resolve);
    signal.addEventListener('abort', () => {
      cancel();
      resolve();
    });
  });
