import type { OrchestrationContext } from 'durable-functions';

/** A durable call as an orchestrator asked for it. */
export type Call =
  | { type: 'activity'; name: string; input: Record<string, unknown> }
  | { type: 'sub-orchestrator'; name: string; input: Record<string, unknown>; id: string | undefined }
  | { type: 'timer'; seconds: number; isCompleted: boolean; cancel: () => void };

/** A wait for an external event. */
interface Wait {
  type: 'event';
  name: string;
}

/** What an orchestrator yields: a call, those of one `Task.all`, or a timer that an event can cut short. */
export type Asked = Call | { type: 'all'; calls: Call[] } | { type: 'any'; timer: Call; event: string };

export type Orchestrator<T> = (context: OrchestrationContext) => Generator<unknown, T, unknown>;

export interface FakeContext {
  context: OrchestrationContext;
  /** The custom status that the orchestrator has published last. */
  customStatus: () => unknown;
  /** What the next execution gets, once the orchestrator has ended this one by `continueAsNew`. */
  continued: () => unknown;
}

/**
 * The context of an orchestrator without a host. Its tasks are plain descriptions: whoever runs the orchestrator performs them.
 * Inputs and statuses are copied, as the JSON of a history would be. It refuses what a real host hangs or fails on: a `Task.all` of
 * nothing, and a task in a second `Task.all`.
 * @param now The clock, in milliseconds since 1970.
 */
export function fakeContext(input: unknown, now: () => number, instanceId = 'coast-k3v9q2xa'): FakeContext {
  let status: unknown;
  let continued: unknown;
  const awaited = new Set<Call>();
  const all = (calls: Call[]): Asked => {
    if (calls.length === 0) throw new Error('Task.all of nothing never ends.');
    for (const call of calls) {
      if (awaited.has(call)) throw new Error('A task is in a second Task.all.');
      awaited.add(call);
    }
    return { type: 'all', calls };
  };
  const any = ([timer, wait]: [Call, Wait]): Asked => ({ type: 'any', timer, event: wait.name });
  const df = {
    instanceId,
    getInput: () => structuredClone(input),
    get currentUtcDateTime() {
      return new Date(now());
    },
    setCustomStatus: (next: unknown) => {
      status = structuredClone(next);
    },
    continueAsNew: (next: unknown) => {
      continued = structuredClone(next);
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
    createTimer: (fireAt: Date): Call => ({
      type: 'timer',
      seconds: (fireAt.getTime() - now()) / 1000,
      isCompleted: false,
      cancel: () => undefined,
    }),
    waitForExternalEvent: (name: string): Wait => ({ type: 'event', name }),
    Task: { all, any },
  };
  return { context: { df } as unknown as OrchestrationContext, customStatus: () => status, continued: () => continued };
}
