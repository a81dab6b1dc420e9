/**
 * What telemetry costs: the wall time of a job without it, and with an Application Insights that answers as it should and that
 * misbehaves in six ways; the start of the app until its first answer, with and without; and the memory that 50,000 events take while the
 * endpoint hangs. Rounds are interleaved.
 * Run it with `npm run bench:telemetry -- 5`: how many rounds. Each round begins with another mode, so that drift of the machine, and storage
 * that fills, meet all. Modes after the number are the only ones: `npm run bench:telemetry -- 9 none 500`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import getPort from 'get-port';
import { startAzurite } from '../dist/stack/azurite.js';
import { type Part, startPart } from '../dist/stack/part.js';
import { createJobClient } from '../src/cli/client/client.js';
import type { Manifest } from '../src/job-store/manifest.js';
import { makeClip } from '../test/support/clip.js';
import { type ReplyName, startIngestion } from '../test/support/ingestion.js';
import { until } from '../test/support/wait.js';

const ROOT = path.resolve(import.meta.dirname, '..');
const ROUNDS = Number(process.argv[2] ?? 3);
const JOBS_A_ROUND = 2;
const EVENTS = 50_000;

/** What the endpoint does; `none`: there is no telemetry; `down`: nothing listens. */
type Mode = ReplyName | 'none' | 'down';
const ALL_MODES: Mode[] = [
  'none',
  'ok',
  'down',
  'after ten seconds',
  'never',
  '429 with Retry-After',
  '500',
  '206 with one to send again',
];
const asked = process.argv.slice(3);
const MODES = ALL_MODES.filter((mode) => asked.length === 0 || asked.includes(mode));

const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-telemetry-'));
const azurite = await startAzurite(folder, process.env);
const clip = makeClip(path.join(folder, 'clip.mp4'), { size: '192x108', rate: '12', seconds: 4 });
const ingestion = await startIngestion();

async function startHost(connection: string | undefined): Promise<{ host: Part; url: string }> {
  const { APPLICATIONINSIGHTS_CONNECTION_STRING: _, ...env } = process.env;
  const host = await startPart({
    title: 'The host',
    script: path.join(ROOT, 'devhost/dist/main.js'),
    args: [ROOT, '--port', String(await getPort())],
    env: {
      ...env,
      TEMP_FOLDER: path.join(folder, 'temp'),
      AzureWebJobsStorage: azurite.connectionString,
      ...(connection !== undefined && { APPLICATIONINSIGHTS_CONNECTION_STRING: connection }),
    },
    logFile: path.join(folder, 'devhost.log'),
    ready: /listening on (http:\/\/\S+)/,
  });
  return { host, url: host.ready[1] ?? '' };
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const spread = (values: number[]) => `${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)}`;

/** Seconds that a process has kept a core busy (Linux), which other programs disturb less than the time that passes. */
function busySeconds({ pid }: Part): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Seconds of some jobs of one host, after one that warms it up; those that the host was busy for each; and those of the host's end. */
async function runJobs(mode: Mode): Promise<{ jobs: number[]; busy: number; end: number }> {
  if (mode === 'down') await ingestion.down();
  else if (mode !== 'none') ingestion.reply(mode);
  const { host, url } = await startHost(mode === 'none' ? undefined : ingestion.connectionString);
  const client = createJobClient(url, undefined);
  const video = await client.upload('video', clip);
  const job = async () => {
    const id = await client.start({ input: { video }, model: 'starry-night', batch: { size: 6, maxParallel: 2 } });
    const ended = async () => {
      const status = await client.status(id);
      return status.state === 'running' || status.state === 'queued' ? undefined : status;
    };
    const { state, createdAt } = await until(`the end of ${id}`, ended, 300, 500);
    if (state !== 'done') throw new Error(`Job ${id} is ${state} with ${mode}.`);
    await client.download(id, 'manifest', path.join(folder, id));
    const { finishedAt } = JSON.parse(readFileSync(path.join(folder, id), 'utf8')) as Manifest;
    return (Date.parse(finishedAt) - Date.parse(createdAt)) / 1000;
  };
  await job();
  const jobs: number[] = [];
  const before = busySeconds(host);
  for (let count = 0; count < JOBS_A_ROUND; count += 1) jobs.push(await job());
  const busy = (busySeconds(host) - before) / JOBS_A_ROUND;
  const end = await secondsOf(() => host.stop());
  if (mode === 'down') await ingestion.up();
  return { jobs, busy, end };
}

interface Start {
  seconds: number;
  busy: number;
}

/** Seconds from the start of the host's process to the first answer of the app, and how many of them the process was busy. */
async function coldStart(connection: string | undefined): Promise<Start> {
  let host: Part | undefined;
  const seconds = await secondsOf(async () => {
    const started = await startHost(connection);
    host = started.host;
    await fetch(`${started.url}/api/jobs/none`);
  });
  const busy = host ? busySeconds(host) : NaN;
  await host?.stop();
  return { seconds, busy };
}

console.log(`${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, load ${os.loadavg()[0]?.toFixed(1)}; seconds`);

ingestion.reply('ok');
const cold = { without: [] as Start[], with: [] as Start[] };
for (let round = 0; round < 2 * ROUNDS; round += 1) {
  cold.without.push(await coldStart(undefined));
  cold.with.push(await coldStart(ingestion.connectionString));
}
for (const kind of ['seconds', 'busy'] as const) {
  const [without, withIt] = [cold.without, cold.with].map((starts) => starts.map((start) => start[kind]));
  if (without === undefined || withIt === undefined) continue;
  console.log(
    `first answer, ${kind}: ${median(without).toFixed(2)} (${spread(without)}) without, ${median(withIt).toFixed(2)} (${spread(withIt)}) with telemetry: ${(median(withIt) / median(without)).toFixed(3)} × (bar: at most 1.15)`,
  );
}

ingestion.reply('never');
console.log(
  execFileSync(
    process.execPath,
    ['--expose-gc', '--input-type=module', '--eval', telling(ingestion.connectionString)],
    { cwd: ROOT, encoding: 'utf8' },
  ).trim(),
);

const runs = new Map(MODES.map((mode) => [mode, { jobs: [] as number[], busy: [] as number[], ends: [] as number[] }]));
const inTurn = (round: number) => {
  const all = [...runs];
  const first = round % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
};
for (let round = 0; round < ROUNDS; round += 1)
  for (const [mode, seen] of inTurn(round)) {
    const { jobs, busy, end } = await runJobs(mode);
    seen.jobs.push(...jobs);
    seen.busy.push(busy);
    seen.ends.push(end);
    const said = jobs.map((one) => one.toFixed(2)).join(', ');
    console.error(`round ${round + 1}, ${mode}: ${said}; busy ${busy.toFixed(2)}; end ${end.toFixed(2)}`);
  }
const plain = runs.get('none') ?? { jobs: [], busy: [] };
const ratio = (these: number[], those: number[]) => (median(these) / median(those)).toFixed(3);
console.table(
  Object.fromEntries(
    [...runs].map(([mode, { jobs, busy, ends }]) => [
      mode,
      {
        job: median(jobs).toFixed(2),
        spread: spread(jobs),
        ratio: ratio(jobs, plain.jobs),
        'host busy': median(busy).toFixed(2),
        'its ratio': ratio(busy, plain.busy),
        'end of the host': spread(ends),
      },
    ]),
  ),
);

await ingestion.stop();
await azurite.stop();
rmSync(folder, { recursive: true, force: true });

/** A program that tells of events and says what memory they take. */
function telling(connection: string): string {
  return `
    import { readInsightsSettings } from './dist/telemetry/insights-settings.js';
    import { createInsightsSink } from './dist/telemetry/insights.js';
    const settings = readInsightsSettings({ APPLICATIONINSIGHTS_CONNECTION_STRING: ${JSON.stringify(connection)} });
    const sink = createInsightsSink(settings, { login: () => undefined, warn: (message) => console.log(message) });
    const event = (index) => ({
      type: 'event', traceId: 'a'.repeat(32), id: String(index).padStart(16, '0'), parentId: 'b'.repeat(16), name: 'attempt.ended',
      role: 'app', time: new Date().toISOString(), measurements: { items: index, inferSeconds: 1.25 },
      dimensions: { job: 'job-1', batch: String(index), attempt: '1', message: 'x'.repeat(300) },
    });
    await new Promise((done) => setTimeout(done, 500));
    gc();
    const before = process.memoryUsage();
    const began = performance.now();
    for (let index = 0; index < ${EVENTS}; index += 1) {
      sink.report([event(index)]);
      if (index % 250 === 249) await new Promise((done) => setImmediate(done));
    }
    const told = performance.now();
    gc();
    const after = process.memoryUsage();
    const mb = (name) => ((after[name] - before[name]) / 1048576).toFixed(0) + ' MB';
    await sink.flush();
    console.log('${EVENTS} events while the endpoint hangs: heap +' + mb('heapUsed') + ', resident +' + mb('rss') + ', ' +
      (1000 * (told - began) / ${EVENTS}).toFixed(0) + ' µs each, flush ' + (performance.now() - told).toFixed(0) + ' ms');`;
}
