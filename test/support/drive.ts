import type { OrchestrationContext } from 'durable-functions';
import { expect } from 'vitest';

/** A durable call as an orchestrator asked for it. */
export type Call =
  | { type: 'activity'; name: string; input: Record<string, unknown> }
  | { type: 'sub-orchestrator'; name: string; input: Record<string, unknown>; id: string | undefined }
  | { type: 'timer'; seconds: number };

export interface Driven<T> {
  result: T;
  calls: Call[];
  customStatus: unknown;
}

const START = Date.UTC(2026, 0, 1);

/**
 * Runs an orchestrator generator to its end without a host: `answer` says what each call returns. The clock stands still but
 * for timers. A list of tasks under Task.all is answered one by one, in order.
 */
export function drive<T>(
  orchestrator: (context: OrchestrationContext) => Generator<unknown, T, unknown>,
  input: unknown,
  answer: (call: Call) => unknown,
): Driven<T> {
  let now = START;
  let customStatus: unknown;
  const calls: Call[] = [];
  const df = {
    instanceId: 'coast-k3v9q2xa',
    getInput: () => structuredClone(input),
    get currentUtcDateTime() {
      return new Date(now);
    },
    setCustomStatus: (status: unknown) => {
      customStatus = structuredClone(status);
    },
    callActivity: (name: string, value: Record<string, unknown>): Call => ({
      type: 'activity',
      name,
      input: structuredClone(value),
    }),
    callSubOrchestrator: (name: string, value: Record<string, unknown>, id?: string): Call => ({
      type: 'sub-orchestrator',
      name,
      input: structuredClone(value),
      id,
    }),
    createTimer: (fireAt: Date): Call => ({ type: 'timer', seconds: (fireAt.getTime() - now) / 1000 }),
    Task: { all: (tasks: Call[]) => tasks },
  };
  const perform = (call: Call): unknown => {
    calls.push(call);
    if (call.type === 'timer') now += call.seconds * 1000;
    return call.type === 'timer' ? undefined : answer(call);
  };
  const generator = orchestrator({ df } as unknown as OrchestrationContext);
  let next = generator.next();
  while (!next.done) {
    const yielded = next.value as Call | Call[];
    next = generator.next(Array.isArray(yielded) ? yielded.map(perform) : perform(yielded));
  }
  return { result: next.value, calls, customStatus };
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
