/**
 * What the control plane takes for a batch: jobs of so many batches of one item each on the local host and Azurite, with the real functions
 * and scorers that score nothing. Host, worker (the app's process) and Azurite are told apart; the scorers' own work is done by this process,
 * what it asks of Azurite is among that one's. Run it with `npm run bench:control -- 10 100 1000 5000`: how many batches; `LANES=50` for
 * more lanes than 10.
 */
import { build } from 'esbuild';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { TableClient } from '@azure/data-tables';
import getPort from 'get-port';
import pMap from 'p-map';
import { type Azurite, startAzurite } from '../dist/stack/azurite.js';
import { type Part, startPart } from '../dist/stack/part.js';
import { createJobClient } from '../src/cli/client/client.js';
import { INBOX } from '../src/job-store/layout.js';
import { sizesOf } from '../test/support/secrets.js';
import { scoringModel } from '../test/support/scorer/tiny-model.js';
import { openAzurite } from '../test/support/storage.js';
import { until } from '../test/support/wait.js';
import { scoreNothing } from './simulated-scorer.js';

const ROOT = path.resolve(import.meta.dirname, '..');
const sizes = process.argv.slice(2).map(Number);
const LANES = Number(process.env.LANES ?? 10);
const LONGEST_SECONDS = 3600;
const LOOKS = 5;

const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-control-'));
const scorers = http.createServer((request, response) => {
  const score = async () => scoreNothing((await json(request)) as Record<string, string>);
  score().then(
    () => response.end(),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
});
scorers.listen(0, '127.0.0.1');
await once(scorers, 'listening');

/** A folder with the app as it is but for its `local` compute. */
async function makeApp(): Promise<string> {
  const app = path.join(folder, 'app');
  mkdirSync(app);
  cpSync(path.join(ROOT, 'host.json'), path.join(app, 'host.json'));
  writeFileSync(path.join(app, 'package.json'), JSON.stringify({ type: 'module', main: 'app.js' }));
  const scorerUrl = `http://127.0.0.1:${(scorers.address() as AddressInfo).port}`;
  const compute = `
    import { simulatedCompute } from './bench/simulated-scorer.js';
    const score = async (environment) => {
      const answer = await fetch('${scorerUrl}', { method: 'POST', body: JSON.stringify(environment) });
      if (!answer.ok) throw new Error(await answer.text());
    };
    export const createLocalCompute = () => simulatedCompute(${LANES}, score);`;
  await build({
    stdin: { contents: compute, resolveDir: ROOT },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: path.join(app, 'compute.js'),
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
  });
  const hooks = `export const resolve = (name, context, next) => name.endsWith('/local/provider.js')
    ? { url: new URL('./compute.js', import.meta.url).href, shortCircuit: true } : next(name, context);`;
  writeFileSync(path.join(app, 'hooks.js'), hooks);
  writeFileSync(
    path.join(app, 'app.js'),
    `import { register } from 'node:module';
    register('./hooks.js', import.meta.url);
    await import(${JSON.stringify(path.join(ROOT, 'dist/app.js'))});`,
  );
  return app;
}

interface Usage {
  seconds: number;
  peakMb: number;
}

/** How long a process has kept a core busy, and its memory at its highest (Linux). */
function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
  return { seconds: (Number(stat[11]) + Number(stat[12])) / 100, peakMb: Math.round(peak) };
}

/** The process below the host in which the app runs. */
function workerOf(host: number): number {
  const parent = (pid: string) => Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.find((pid) => {
    try {
      return parent(pid) === host && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker');
    } catch {
      return false;
    }
  });
  return Number(found);
}

async function rowsOf({ connectionString }: Azurite): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for (const table of ['BatchScoringHistory', 'BatchScoringInstances']) {
    const client = TableClient.fromConnectionString(connectionString, table, { allowInsecureConnection: true });
    for await (const row of client.listEntities()) rows.push(row);
  }
  return rows;
}

async function run(batches: number, app: string): Promise<object> {
  const place = path.join(folder, String(batches));
  mkdirSync(place);
  const azurite = await startAzurite(place, process.env);
  let host: Part | undefined;
  try {
    const env = {
      ...process.env,

      TEMP_FOLDER: path.join(place, 'temp'),
      AzureWebJobsStorage: azurite.connectionString,
    };
    host = await startPart({
      title: 'The host',
      script: path.join(ROOT, 'dist/stack/devhost/main.js'),
      args: [app, '--port', String(await getPort())],
      env,
      logFile: path.join(place, 'devhost.log'),
      ready: /listening on (http:\/\/\S+)/,
    });
    const inbox = openAzurite(azurite.connectionString).media.getContainerClient(INBOX);
    await inbox.createIfNotExists();
    const names = Array.from({ length: batches }, (_, index) => `pictures/${String(index).padStart(7, '0')}.jpg`);
    await pMap(names, (name) => inbox.getBlockBlobClient(name).upload('-', 1), { concurrency: 16 });
    const client = createJobClient(host.ready[1] ?? '', undefined);
    const file = path.join(place, 'classes.onnx');
    writeFileSync(file, scoringModel([1, 3, 8, 8]));
    writeFileSync(file.replace('.onnx', '.json'), JSON.stringify({ output: { kind: 'classes', top: 5 } }));
    const model = await client.upload('model', file, { card: file.replace('.onnx', '.json') });
    const [hostPid, azuritePid] = [host.pid ?? 0, azurite.pid ?? 0];
    const pids = { host: hostPid, worker: workerOf(hostPid), Azurite: azuritePid };
    const usages = () => Object.entries(pids).map(([name, pid]) => [name, usageOf(pid)] as const);
    const before = new Map(usages());
    const began = performance.now();
    const spec = { input: { images: `${INBOX}/pictures/` }, model, batch: { size: 1, pack: 1, maxParallel: LANES } };
    const id = await client.start(spec);
    const management = `${host.ready[1]}/runtime/webhooks/durabletask/instances/${id}`;
    const ended = async () => {
      const { runtimeStatus } = (await (await fetch(management)).json()) as { runtimeStatus: string };
      return ['Pending', 'Running'].includes(runtimeStatus) ? undefined : runtimeStatus;
    };
    const state = await until(`the end of ${id}`, ended, LONGEST_SECONDS, 1000);
    const seconds = (performance.now() - began) / 1000;
    const after = usages();
    if (state !== 'Completed') throw new Error(`Job ${id} is ${state}.`);
    const looked = performance.now();
    for (let look = 0; look < LOOKS; look += 1) await client.status(id);
    const lookMs = (performance.now() - looked) / LOOKS;
    const { payload, events } = sizesOf(await rowsOf(azurite));
    const busy = after.map(([name, { seconds: now }]) => [name, now - (before.get(name)?.seconds ?? 0)] as const);
    const each = ([name, of]: readonly [string, number]) => [
      `${name}, ms a batch`,
      Number(((1000 * of) / batches).toFixed(1)),
    ];
    return {
      batches,
      ...Object.fromEntries(busy.map(each)),
      'all, ms a batch': Number(((1000 * busy.reduce((sum, [, of]) => sum + of, 0)) / batches).toFixed(1)),
      seconds: Number(seconds.toFixed(1)),
      'most events': events,
      'largest payload': payload,
      'a look at the status, ms': Math.round(lookMs),
      'peak MB': after.map(([name, { peakMb }]) => `${name} ${peakMb}`).join(', '),
    };
  } finally {
    await host?.stop();
    await azurite.stop();
  }
}

try {
  console.log(
    `${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, load ${os.loadavg()[0]?.toFixed(1)}, Node ${process.version}, ${LANES} lanes`,
  );
  const app = await makeApp();
  for (const batches of sizes) console.log(await run(batches, app));
} finally {
  scorers.close();
  scorers.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
}
