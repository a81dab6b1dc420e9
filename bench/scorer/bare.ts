import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Layout, Workload } from './workload.js';

const SCRIPT = path.join(import.meta.dirname, 'bare-process.ts');

/** Frames a second of bare `session.run` in `layout.processes` processes at once. */
export async function measureBare(work: Workload, layout: Layout, spinning = false): Promise<number> {
  const runs = Math.max(4, Math.round(work.frames / layout.processes));
  const running = Array.from({ length: layout.processes }, () => start(work, layout.threads, spinning, runs));
  await Promise.all(running.map(({ lines }) => next(lines)));
  for (const { child } of running) child.stdin?.write('go\n');
  const rates = await Promise.all(running.map(async ({ lines }) => (1000 * runs) / Number(await next(lines))));
  return rates.reduce((sum, rate) => sum + rate, 0);
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
