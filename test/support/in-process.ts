import { setTimeout as pause } from 'node:timers/promises';
import type { OrchestrationContext } from 'durable-functions';
import { scoreBatch } from '../../src/orchestrators/score-batch.js';
import { scoreJob, type JobOutput } from '../../src/orchestrators/score-job.js';
import { scoreLane } from '../../src/orchestrators/score-lane.js';

/** Runs an activity and returns what its handler would. */
export type Deliver = (name: string, input: object) => Promise<unknown>;

type Task = () => Promise<unknown>;
type Orchestrator = (context: OrchestrationContext) => Generator<unknown, unknown, unknown>;

const ORCHESTRATORS: Record<string, Orchestrator> = { scoreLane, scoreBatch };
/** Durable timers are cut short: what is waited for here takes seconds, not minutes. */
const LONGEST_TIMER_MS = 1000;

/** Runs a whole job with the real orchestrators and without a host. @throws Error with the sentence of its failure. */
export const runJob = (input: object, deliver: Deliver): Promise<JobOutput> =>
  run(scoreJob, input, deliver) as Promise<JobOutput>;

/** Runs one batch, as a lane of a job would. */
export const runBatch = (input: object, deliver: Deliver): Promise<unknown> => run(scoreBatch, input, deliver);

async function run(orchestrator: Orchestrator, input: unknown, deliver: Deliver): Promise<unknown> {
  const df = {
    getInput: () => structuredClone(input),
    get currentUtcDateTime() {
      return new Date();
    },
    setCustomStatus: () => undefined,
    callActivity:
      (name: string, value: object): Task =>
      () =>
        deliver(name, structuredClone(value)),
    callSubOrchestrator:
      (name: string, value: object): Task =>
      async () => {
        const child = ORCHESTRATORS[name];
        if (!child) throw new Error(`There is no orchestrator ${name}.`);
        return run(child, structuredClone(value), deliver);
      },
    createTimer:
      (fireAt: Date): Task =>
      () =>
        pause(Math.min(LONGEST_TIMER_MS, Math.max(0, fireAt.getTime() - Date.now()))),
    Task: {
      all:
        (tasks: Task[]): Task =>
        () =>
          Promise.all(tasks.map((task) => task())),
    },
  };
  const generator = orchestrator({ df } as unknown as OrchestrationContext);
  let next = generator.next();
  while (!next.done) {
    const task = next.value as Task;
    try {
      const value: unknown = structuredClone(await task());
      next = generator.next(value);
    } catch (error) {
      next = generator.throw(error);
    }
  }
  return next.value;
}
