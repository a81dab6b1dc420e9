import { readFileSync } from 'node:fs';
import { cardOf, ScorerJob, startScorer } from '../../test/support/scorer/harness.js';
import type { AttemptResult } from '../../src/container-contract/result.js';
import { choosePack } from '../../src/job/plan.js';
import type { Layout, Workload } from './workload.js';

export interface EndToEnd {
  /** Frames a second from ready to result recorded, summed over the processes. */
  rate: number;
  /** Process start to ready for the first item, the slowest process; seconds. */
  startup: number;
  /** CPU seconds of the scorer processes (and the most memory one took, in MiB) as `/proc` tells; 0 elsewhere. */
  cpu: number;
  /** CPU seconds of the storage meanwhile. */
  storageCpu: number;
  memory: number;
  /** Wall seconds of the slowest process, start-up included. */
  wall: number;
}

/** The scorer as the app runs it, against the storage behind `storage`; every process has its own part of the frames. */
export async function measureScorer(
  work: Workload,
  layout: Layout,
  storage: string,
  storagePid: number,
): Promise<EndToEnd> {
  const card = await cardOf(work.model, work.model.replace('.onnx', '.json'));
  const names = Object.keys(work.stored);
  const share = Math.ceil(names.length / layout.processes);
  const jobs = await Promise.all(
    Array.from({ length: layout.processes }, async (_, index) => {
      const mine = names.slice(index * share, (index + 1) * share);
      const job = await ScorerJob.create(storage, { model: work.model, card });
      const bytesPerItem = 3 * work.width * work.height;
      job.pack = choosePack({ asked: 'auto', expected: share, size: share, maxParallel: 1, bytesPerItem });
      await job.addInputs(Object.fromEntries(mine.map((name) => [name, work.stored[name] ?? Buffer.alloc(0)])));
      const environment = await job.nextAttempt(mine, { SCORER_THREADS: String(layout.threads) });
      return { job, environment };
    }),
  );
  const storageBefore = usageOf(storagePid).cpu;
  const runs = await Promise.all(
    jobs.map(async ({ job, environment }) => {
      const { child, finished } = startScorer(environment);
      const usage = watch(child.pid ?? 0);
      await finished;
      return { result: await job.result(), ...usage() };
    }),
  );
  for (const { result } of runs)
    if (result.failed.length > 0 || result.outcome !== 'completed')
      throw new Error('The scorer did not score every frame.');
  return {
    rate: sum(runs.map(({ result }) => steadyRate(result))),
    startup: Math.max(...runs.map(({ result }) => result.timings.startup)) / 1000,
    wall: Math.max(...runs.map(({ result }) => result.timings.wall)) / 1000,
    cpu: sum(runs.map(({ cpu }) => cpu)),
    storageCpu: usageOf(storagePid).cpu - storageBefore,
    memory: Math.max(...runs.map(({ memory }) => memory)),
  };
}

function steadyRate({ done, timings }: AttemptResult): number {
  return (1000 * done.length) / (timings.wall - timings.startup);
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** CPU seconds and peak memory in MiB of a living process; zeros where there is no `/proc`. */
function usageOf(pid: number): { cpu: number; memory: number } {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    // Fields 14 and 15 of proc(5), in hundredths of a second.
    return { cpu: (Number(fields[11]) + Number(fields[12])) / 100, memory: Number(peak ?? 0) / 1024 };
  } catch {
    return { cpu: 0, memory: 0 };
  }
}

/** The usage of a process as last seen before it ended. */
function watch(pid: number): () => { cpu: number; memory: number } {
  let seen = { cpu: 0, memory: 0 };
  const timer = setInterval(() => {
    const now = usageOf(pid);
    if (now.memory > 0) seen = now;
  }, 50);
  return () => {
    clearInterval(timer);
    return seen;
  };
}
