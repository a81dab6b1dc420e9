import { signal, type ReadonlySignal } from '@preact/signals';
import type { Version } from './connection.js';
import { Refusal } from './connection.js';

/** What the page knows of something that changes, and how fresh that is. */
export interface Polled<T> {
  /** Undefined until the first answer. */
  data: ReadonlySignal<T | undefined>;
  /** When the app has last said that it is so, in milliseconds since the epoch. */
  at: ReadonlySignal<number | undefined>;
  /** Why there is no newer answer; undefined when there is. */
  trouble: ReadonlySignal<Refusal | undefined>;
  /** Asks now, also when it was over. */
  refresh: () => void;
  stop: () => void;
}

/** Whether asking again is in vain: what there is not, or no more, and what nobody may see, does not come by asking. */
export const isFinal = ({ status }: Refusal): boolean => status === 404 || status === 410;

/** What polling needs of a browser. */
export interface Clock {
  now: () => number;
  /** Calls back once after so many milliseconds. @returns what ends the wait. */
  after: (milliseconds: number, call: () => void) => () => void;
  isVisible: () => boolean;
  /** Calls back whenever the page comes to the front or goes to the back. @returns what ends that. */
  onTurn: (call: () => void) => () => void;
}

const VISIBLE_MS = 1000;
const HIDDEN_MS = 10_000;
const LONGEST_MS = 30_000;

/**
 * Asks again and again for what changes: every second while the page is visible, every ten seconds while it is not, at once when it comes to
 * the front; less and less often, down to every 30 seconds, while it gets no answer; once nothing changes, only when it comes to the front.
 * @param read as `Connection.getSince`.
 * @param pace what may be in the way of a second: `over` asks no more until `refresh` or the page comes to the front, a number is the milliseconds to the next question.
 */
export function createPoll<T>(
  read: (etag: string | undefined, signal: AbortSignal) => Promise<Version<T> | undefined>,
  { clock, pace = () => VISIBLE_MS }: { clock: Clock; pace?: (data: T) => number | 'over' },
): Polled<T> {
  const data = signal<T | undefined>(undefined);
  const at = signal<number | undefined>(undefined);
  const trouble = signal<Refusal | undefined>(undefined);
  const stopping = new AbortController();
  let etag: string | undefined;
  let failures = 0;
  let isAsking = false;
  let isOver = false;
  let askedAgain = false;
  let cancelWait: () => void = () => undefined;

  function wait(): void {
    cancelWait();
    if (stopping.signal.aborted || isOver) return;
    cancelWait = clock.after(pause(), () => void ask());
  }

  function pause(): number {
    if (failures > 0) {
      const asked = (trouble.value?.retryAfter ?? 0) * 1000;
      return Math.min(LONGEST_MS, Math.max(asked, VISIBLE_MS * 2 ** failures));
    }
    const usual = data.value === undefined ? VISIBLE_MS : pace(data.value);
    return Math.max(usual === 'over' ? 0 : usual, clock.isVisible() ? 0 : HIDDEN_MS);
  }

  async function ask(): Promise<void> {
    cancelWait();
    if (isAsking || stopping.signal.aborted) {
      askedAgain = true;
      return;
    }
    isAsking = true;
    askedAgain = false;
    try {
      const version = await read(etag, stopping.signal);
      if (stopping.signal.aborted) return;
      if (version) {
        data.value = version.data;
        ({ etag } = version);
      }
      at.value = clock.now();
      trouble.value = undefined;
      failures = 0;
      isOver = data.value !== undefined && pace(data.value) === 'over';
    } catch (error) {
      if (stopping.signal.aborted) return;
      failures += 1;
      trouble.value =
        error instanceof Refusal ? error : new Refusal('The page has an error; load it again.', 0, undefined);
      isOver = isFinal(trouble.value);
    } finally {
      isAsking = false;
    }
    if (askedAgain) void ask();
    else wait();
  }

  const endTurns = clock.onTurn(() => {
    // What is over may have begun again elsewhere.
    if (clock.isVisible()) void ask();
    else if (!isAsking) wait();
  });
  void ask();
  return {
    data,
    at,
    trouble,
    refresh: () => void ask(),
    stop: () => {
      stopping.abort();
      cancelWait();
      endTurns();
    },
  };
}

/** The browser as a clock. */
export const browserClock: Clock = {
  now: () => Date.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  },
  isVisible: () => document.visibilityState === 'visible',
  onTurn: (call) => {
    document.addEventListener('visibilitychange', call);
    globalThis.addEventListener('focus', call);
    globalThis.addEventListener('online', call);
    return () => {
      document.removeEventListener('visibilitychange', call);
      globalThis.removeEventListener('focus', call);
      globalThis.removeEventListener('online', call);
    };
  },
};
