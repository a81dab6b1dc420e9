import { setTimeout as pause } from 'node:timers/promises';
import { itemLane } from '../../src/orchestrators/item-lane.js';
import { scoreLanes } from '../../src/orchestrators/lane-group.js';
import { type BatchResult, scoreBatch } from '../../src/orchestrators/score-batch.js';
import { scoreJob, type JobOutput } from '../../src/orchestrators/score-job.js';
import { scoreLane } from '../../src/orchestrators/score-lane.js';
import { type Asked, type Call, fakeContext, type Orchestrator } from './fake-context.js';

/** Runs an activity and returns what its handler would. */
export type Deliver = (name: string, input: object) => Promise<unknown>;

const ORCHESTRATORS: Record<string, Orchestrator<unknown>> = {
  scoreLanes: scoreLanes.run,
  scoreLane: scoreLane.run,
  scoreBatch: scoreBatch.run,
  itemLane: itemLane.run,
};
/** Durable timers are cut short: what is waited for here takes seconds, not minutes. */
const LONGEST_TIMER_MS = 1000;

/** After how many of its steps the host fails a sub-orchestration of this name; undefined if it does not. */
export type Lives = (name: string) => number | undefined;

/** Runs a whole job with the real orchestrators and without a host. @throws Error with the sentence of its failure. */
export const runJob = (input: object, deliver: Deliver, lives: Lives = () => undefined): Promise<JobOutput> =>
  run(scoreJob.run, input, { deliver, lives });

/** Runs one batch, as a lane of a job would. */
export const runBatch = (input: object, deliver: Deliver): Promise<BatchResult> =>
  run(scoreBatch.run, input, { deliver, lives: () => undefined });

interface Host {
  deliver: Deliver;
  lives: Lives;
}

async function run<T>(orchestrator: Orchestrator<T>, input: unknown, host: Host, steps = Infinity): Promise<T> {
  const { context, continued } = fakeContext(input, Date.now);
  const generator = orchestrator(context);
  const results = new Map<Call, Promise<unknown>>();
  const resultOf = (call: Call): Promise<unknown> => {
    const result = results.get(call) ?? perform(call, host);
    results.set(call, result);
    return result;
  };
  let next = generator.next();
  for (let step = 0; !next.done; step += 1) {
    if (step === steps) throw new Error('Non-Deterministic workflow detected: the worker died in a turn. \n at Core');
    const asked = next.value as Asked;
    try {
      const calls = asked.type === 'all' ? asked.calls : [asked.type === 'any' ? asked.timer : asked];
      const values = structuredClone(await Promise.all(calls.map((call) => resultOf(call))));
      next = generator.next(asked.type === 'all' ? values : values[0]);
    } catch (error) {
      next = generator.throw(error);
    }
  }
  const again = continued();
  return again === undefined ? next.value : run(orchestrator, again, host, steps);
}

async function perform(call: Call, host: Host): Promise<unknown> {
  if (call.type === 'timer') return pause(Math.min(LONGEST_TIMER_MS, Math.max(0, call.seconds * 1000)));
  if (call.type === 'activity') return host.deliver(call.name, call.input);
  const child = ORCHESTRATORS[call.name];
  if (!child) throw new Error(`There is no orchestrator ${call.name}.`);
  return run(child, call.input, host, host.lives(call.name));
}
