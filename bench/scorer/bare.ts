import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Layout, Workload } from './workload.js';

const SCRIPT = path.join(import.meta.dirname, 'bare-process.ts');

/** It has no beginning and no end that a short run would show more of. */
const SHARE_OF_FRAMES = 1 / 3;

export interface Bare {
  /** Frames a second. */
  rate: number;
  /** CPU seconds of a frame. */
  cpu: number;
}

/** Bare `session.run` in `layout.processes` processes at once. */
export async function measureBare(work: Workload, layout: Layout, spinning: boolean): Promise<Bare> {
  const runs = Math.max(4, Math.round((work.frames * SHARE_OF_FRAMES) / layout.processes));
  const running = Array.from({ length: layout.processes }, () => start(work, layout.threads, spinning, runs));
  await Promise.all(running.map(({ lines }) => next(lines)));
  for (const { child } of running) child.stdin?.write('go\n');
  const taken = await Promise.all(running.map(async ({ lines }) => (await next(lines)).split(' ').map(Number)));
  return taken.reduce<Bare>(
    ({ rate, cpu }, [wall = NaN, own = NaN]) => ({
      rate: rate + (1000 * runs) / wall,
      cpu: cpu + own / 1000 / runs / layout.processes,
    }),
    { rate: 0, cpu: 0 },
  );
}

function start(
  { model, width, height }: Workload,
  threads: number,
  spinning: boolean,
  runs: number,
): { child: ChildProcess; lines: AsyncIterator<string> } {
  const args = [model, width, height, threads, spinning ? 1 : 0, runs].map(String);
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
}

async function next(lines: AsyncIterator<string>): Promise<string> {
  const step = await lines.next();
  if (step.done === true) throw new Error('a bare process ended early');
  return step.value;
}
