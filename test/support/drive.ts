import { expect } from 'vitest';
import { type Asked, type Call, fakeContext, type Orchestrator } from './fake-context.js';

export type { Call };

export interface Driven<T> {
  result: T;
  calls: Call[];
  customStatus: unknown;
}

const START = Date.UTC(2026, 0, 1);

/**
 * Runs an orchestrator to its end at once: `answer` says what each call returns. The clock stands still but for timers. The calls of
 * a `Task.all` are answered one by one, in order.
 */
export function drive<T>(orchestrator: Orchestrator<T>, input: unknown, answer: (call: Call) => unknown): Driven<T> {
  let now = START;
  const calls: Call[] = [];
  const { context, customStatus } = fakeContext(input, () => now);
  const perform = (call: Call): unknown => {
    calls.push(call);
    if (call.type !== 'timer') return answer(call);
    now += call.seconds * 1000;
    return undefined;
  };
  const generator = orchestrator(context);
  let next = generator.next();
  while (!next.done) {
    const asked = next.value as Asked;
    next = generator.next(asked.type === 'all' ? asked.calls.map(perform) : perform(asked));
  }
  return { result: next.value, calls, customStatus: customStatus() };
}

/** The wrapped value that an activity returns when it succeeds. */
export const ok = <T>(value: T) => ({ ok: true as const, value });

/** Seconds of every timer, in order. */
export const pauses = (calls: Call[]) => calls.flatMap((call) => (call.type === 'timer' ? [call.seconds] : []));

/** Waits for the platform are stretched by up to a quarter. */
export function expectPauses(calls: Call[], least: number[]): void {
  const seconds = pauses(calls);
  expect(seconds).toHaveLength(least.length);
  for (const [index, shortest] of least.entries()) {
    expect(seconds[index]).toBeGreaterThanOrEqual(shortest);
    expect(seconds[index]).toBeLessThan(1.25 * shortest);
  }
}
