import type { OrchestrationContext } from 'durable-functions';
import { chunkLane } from '../../src/orchestrators/chunk-lane.js';
import { itemLane } from '../../src/orchestrators/item-lane.js';
import { scoreLanes } from '../../src/orchestrators/lane-group.js';
import { scoreBatch } from '../../src/orchestrators/score-batch.js';
import { scoreJob } from '../../src/orchestrators/score-job.js';
import { scoreLane } from '../../src/orchestrators/score-lane.js';
import { type Asked, type Call, fakeContext, type Orchestrator } from './fake-context.js';

const ORCHESTRATORS: Record<string, Orchestrator<unknown>> = {
  scoreLanes: scoreLanes.run,
  scoreLane: scoreLane.run,
  scoreBatch: scoreBatch.run,
  chunkLane: chunkLane.run,
  itemLane: itemLane.run,
};

/** What a hub would keep of an execution. */
export interface Kept {
  id: string;
  /** Of its history: two of each turn, and two of each task, as if no two tasks ended in one turn. */
  events: number;
  /** The largest of its inputs, outputs and custom statuses, and those of its calls, in bytes of UTF-8. */
  payload: number;
  /** Which that is. */
  largest: string;
}

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value) ?? '');

/**
 * Runs a job with all its sub-orchestrations at once: `answer` says what each activity returns, the clock goes on by timers alone.
 * @returns of each execution what a hub would keep.
 */
export function runHub(input: { jobId: string }, answer: (name: string, input: object) => unknown): Kept[] {
  const kept: Kept[] = [];
  let now = Date.UTC(2026, 0, 1);

  function execute(orchestrator: Orchestrator<unknown>, given: unknown, id: string): unknown {
    for (let next: unknown = given; ;) {
      const execution: Kept = { id, events: 4, payload: 0, largest: '' };
      kept.push(execution);
      const keep = (what: string, value: unknown) => {
        const bytes = bytesOf(value);
        if (bytes > execution.payload) Object.assign(execution, { payload: bytes, largest: what });
      };
      const { context, continued } = fakeContext(next, () => now, id);
      Object.assign(context.df, { setCustomStatus: (value: unknown) => keep('custom status', value) });
      keep('input', next);
      let result: unknown;
      try {
        result = follow(orchestrator, context, keep, execution);
        keep('output', result);
      } catch (error) {
        keep('failure', String(error));
        throw error;
      }
      next = continued();
      if (next === undefined) return result;
    }
  }

  function follow(
    orchestrator: Orchestrator<unknown>,
    context: OrchestrationContext,
    keep: (what: string, value: unknown) => void,
    execution: Kept,
  ): unknown {
    const perform = (call: Call): unknown => {
      execution.events += 4;
      if (call.type === 'timer') {
        now += call.seconds * 1000;
        call.isCompleted = true;
        return undefined;
      }
      keep(`input of ${call.name}`, call.input);
      const child = ORCHESTRATORS[call.name];
      const id = call.type === 'sub-orchestrator' ? (call.id ?? '') : '';
      const value = child ? execute(child, call.input, id) : answer(call.name, call.input);
      keep(`result of ${call.name}`, value);
      return structuredClone(value);
    };
    const generator = orchestrator(context);
    let next = generator.next();
    while (!next.done) {
      const asked = next.value as Asked;
      const ended =
        asked.type === 'all' ? asked.calls.map(perform) : perform(asked.type === 'any' ? asked.timer : asked);
      next = generator.next(ended);
    }
    return next.value;
  }

  try {
    execute(scoreJob.run, input, input.jobId);
  } catch {
    // The job has failed.
  }
  return kept;
}
