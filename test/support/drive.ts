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
 * Runs an orchestrator to its end at once: `answer` says what each call returns, or throws what the host fails it with. The clock stands
 * still but for timers. The calls of a `Task.all` are answered one by one, in order; like the SDK it fails with the first of them, and
 * what became of the others is told when they are yielded again. What one execution hands on with `continueAsNew`, the next one gets.
 */
export function drive<T>(orchestrator: Orchestrator<T>, input: unknown, answer: (call: Call) => unknown): Driven<T> {
  let now = START;
  const calls: Call[] = [];
  const ended = new Map<Call, { value: unknown } | { error: unknown }>();
  const perform = (call: Call): { value: unknown } | { error: unknown } => {
    calls.push(call);
    if (call.type === 'timer') {
      now += call.seconds * 1000;
      call.isCompleted = true;
      return { value: undefined };
    }
    try {
      return { value: answer(call) };
    } catch (error) {
      return { error };
    }
  };
  const outcomeOf = (call: Call) => {
    const outcome = ended.get(call) ?? perform(call);
    ended.set(call, outcome);
    return outcome;
  };
  const answerTo = (asked: Asked): { value: unknown } | { error: unknown } => {
    if (asked.type === 'any') return outcomeOf(asked.timer);
    if (asked.type !== 'all') return outcomeOf(asked);
    const outcomes = asked.calls.map(outcomeOf);
    const failed = outcomes.find((outcome) => 'error' in outcome);
    return failed ?? { value: outcomes.map((outcome) => ('value' in outcome ? outcome.value : undefined)) };
  };
  for (let given = input; ;) {
    const { context, customStatus, continued } = fakeContext(given, () => now);
    const generator = orchestrator(context);
    let next = generator.next();
    while (!next.done) {
      const outcome = answerTo(next.value as Asked);
      next = 'error' in outcome ? generator.throw(outcome.error) : generator.next(outcome.value);
    }
    given = continued();
    if (given === undefined) return { result: next.value, calls, customStatus: customStatus() };
  }
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
