/**
 * How many orchestrations devhost drives: 1,000 activities one after another and 1,000 at once, in this process on tables and in memory
 * (the difference is what storage costs), then through a host as a program of its own; 2,000 starts, 64 at once, and their purge; and its
 * memory over many instances. Requests to storage are counted: they do not depend on how busy the machine is.
 * Run it with `npm run bench:devhost`; `npm run bench:devhost -- 10000` starts that many instances for the memory.
 */
import diagnostics from 'node:diagnostics_channel';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { ClientRequest } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import getPort from 'get-port';
import pMap from 'p-map';
import type { Backend } from '../devhost/src/backend/backend.js';
import { MemoryBackend } from '../devhost/src/backend/memory-backend.js';
import { openTablesBackend } from '../devhost/src/backend/tables-backend.js';
import { OrchestrationClient } from '../devhost/src/engine/client.js';
import { Engine } from '../devhost/src/engine/engine.js';
import { core, invoker } from '../devhost/test/support/app-in-process.js';
import { DurableClient } from '../devhost/test/support/durable-client.js';
import { until } from '../devhost/test/support/until.js';
import { startAzurite } from '../dist/stack/azurite.js';
import { startPart } from '../dist/stack/part.js';

const ROOT = path.resolve(import.meta.dirname, '..');
const APP = path.join(ROOT, 'devhost/test/fixtures/durable');
const ACTIVITIES = 1000;
const STARTS = 2000;
const AT_ONCE = 64;
const INSTANCES = Number(process.argv[2] ?? 2000);
const PATIENCE_MS = 600_000;

const range = (length: number) => Array.from({ length }, (_, index) => index);
/** Name and input of an orchestration with `ACTIVITIES` activities that do nothing. */
const SEQUENCE = ['sequence', range(ACTIVITIES)] as const;
const FAN_OUT = ['fanOut', ACTIVITIES] as const;

const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-devhost-'));
const azurite = await startAzurite(folder, process.env);
console.log(`Load ${os.loadavg()[0]?.toFixed(1)} on ${os.availableParallelism()} cores, Node ${process.version}.`);
try {
  await inProcess();
  await asProgram();
} finally {
  await azurite.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** Seconds that a process has kept a core busy (Linux): other programs disturb them less than the time that passes. */
function busySeconds(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid ?? process.pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The work's seconds, and for how many of them the engine's process and Azurite were busy. */
async function measured(work: () => Promise<unknown>, host?: number): Promise<{ seconds: number; busy: string }> {
  const before = [busySeconds(host), busySeconds(azurite.pid)] as const;
  const seconds = await secondsOf(work);
  const [own, storage] = [busySeconds(host) - before[0], busySeconds(azurite.pid) - before[1]];
  return { seconds, busy: `busy: host ${own.toFixed(1)} s, Azurite ${storage.toFixed(1)} s;` };
}

function report(what: string, seconds: number, more = ''): void {
  console.log(`${what.padEnd(58)} ${seconds.toFixed(2).padStart(7)} s  ${more}`);
}

/** The engine without HTTP and without a process of its own. */
async function inProcess(): Promise<void> {
  await import(String(new URL('../devhost/test/fixtures/durable/orchestrators.js', import.meta.url)));
  const requests = countRequests();
  const tables = await openTablesBackend(azurite.connectionString, 'BenchEngine', {
    patienceSeconds: 5,
    partitionCount: 4,
    hiddenSeconds: 30,
    log: () => {},
  });
  const backends: [string, Backend][] = [
    ['tables', tables],
    ['memory', new MemoryBackend()],
  ];
  for (const [name, backend] of backends) {
    const limits = { maxActivities: 20, maxOrchestrators: 20, strict: false };
    const log = { debug: () => {}, warn: (text: string) => console.error(text) };
    const engine = new Engine({ backend, functions: core.functions, invoker, log, ...limits });
    const client = new OrchestrationClient(engine);
    for (const [how, [orchestrator, input]] of [['in sequence', SEQUENCE] as const, ['at once', FAN_OUT] as const]) {
      requests.clear();
      const { seconds, busy } = await measured(async () => {
        const start = { name: orchestrator, input: JSON.stringify(input), instanceId: undefined };
        const id = await client.start({ ...start, version: '', caller: undefined });
        await until(async () => (await client.get(id))?.completedTime !== undefined, PATIENCE_MS);
      });
      report(`${ACTIVITIES} activities ${how}, in this process, ${name}`, seconds, `${busy} ${summary(requests)}`);
    }
    await engine.stop(0);
  }
}

/** Requests to the tables by kind, but the reads by which this program looks whether an instance has ended. */
function countRequests(): Map<string, number> {
  const requests = new Map<string, number>();
  diagnostics.subscribe('http.client.request.start', (message) => {
    const { request } = message as { request: ClientRequest };
    if (request.method === 'GET') return;
    const table = /\/(\$batch|BenchEngine\w+)/.exec(request.path)?.[1]?.replace('BenchEngine', '') ?? 'blobs';
    requests.set(table, (requests.get(table) ?? 0) + 1);
  });
  return requests;
}

function summary(requests: Map<string, number>): string {
  const total = [...requests.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return '';
  const kinds = [...requests].map(([kind, count]) => `${kind} ${count}`).join(', ');
  return `${(total / ACTIVITIES).toFixed(2)} writes an activity (${kinds})`;
}

/** devhost as people run it, asked over HTTP. */
async function asProgram(): Promise<void> {
  const env = { ...process.env, AzureWebJobsStorage: azurite.connectionString, HUB: 'BenchHost' };
  const host = await startPart({
    title: 'The host',
    script: path.join(ROOT, 'devhost/dist/main.js'),
    args: [APP, '--port', String(await getPort())],
    env,
    logFile: path.join(folder, 'devhost.log'),
    ready: /listening on (http:\/\/\S+)/,
  });
  try {
    const client = new DurableClient(host.ready[1] ?? '');
    for (const [how, [orchestrator, input]] of [['in sequence', SEQUENCE] as const, ['at once', FAN_OUT] as const]) {
      const { seconds, busy } = await measured(async () => {
        const id = await client.start(orchestrator, input);
        await until(async () => (await client.status(id)).runtimeStatus === 'Completed', PATIENCE_MS);
      }, host.pid);
      report(`${ACTIVITIES} activities ${how}, a host on tables`, seconds, busy);
    }
    await starts(client, host.pid);
    await memory(client, host.pid ?? 0);
  } finally {
    await host.stop();
  }
}

async function starts(client: DurableClient, host: number | undefined): Promise<void> {
  const waits: number[] = [];
  const { seconds, busy } = await measured(async () => {
    const one = async (index: number) => waits.push(await secondsOf(() => client.start('double', index)));
    await pMap(range(STARTS), one, { concurrency: AT_ONCE });
  }, host);
  waits.sort((a, b) => a - b);
  const at = (part: number) => waits[Math.floor(part * (waits.length - 1))]?.toFixed(2);
  report(
    `${STARTS} starts, ${AT_ONCE} at once`,
    seconds,
    `${busy} median ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)} s`,
  );
  report('until all have ended', await secondsOf(() => allEnded(client)));
  const from = new Date(0).toISOString();
  let answer = '';
  const purge = await measured(async () => {
    const query = `createdTimeFrom=${from}&runtimeStatus=Completed,Failed,Terminated`;
    answer = await (await client.call('DELETE', `instances?${query}`)).text();
  }, host);
  report('purge of all', purge.seconds, `${purge.busy} ${answer}`);
}

async function allEnded(client: DurableClient): Promise<void> {
  const open = async () => {
    const response = await client.call('GET', 'instances?runtimeStatus=Pending,Running&top=1');
    return ((await response.json()) as unknown[]).length;
  };
  await until(async () => (await open()) === 0, PATIENCE_MS);
}

/** Resident memory of the host as instances come and go. */
async function memory(client: DurableClient, pid: number): Promise<void> {
  const megabytes: number[] = [];
  const step = Math.max(1, Math.floor(INSTANCES / 5));
  const seconds = await secondsOf(async () => {
    for (let done = 0; done < INSTANCES; done += step) {
      await pMap(range(step), (index) => client.start('double', index), { concurrency: AT_ONCE });
      await allEnded(client);
      megabytes.push(
        Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024),
      );
    }
  });
  report(`${INSTANCES} instances`, seconds, `memory of the host after each fifth: ${megabytes.join(', ')} MB`);
}
