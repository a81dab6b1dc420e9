/**
 * A job of a million classified images: the real orchestrators and activities on Azurite, scorers that read nothing and store what a
 * scorer stores, and a listing of the folder that is made up page by page. Counts the requests to storage by what they cost, and shows
 * seconds, processor time and the highest memory of this process. Run it with `npm run bench:million`; a number of images and the items
 * of a pack may follow.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { startAzurite } from '../dist/stack/azurite.js';
import { createActivities } from '../src/activities/index.js';
import { failureOf } from '../src/activities/return-failure.js';
import type { ComputeProvider } from '../src/compute/provider.js';
import { readEnvironment } from '../src/container-contract/environment.js';
import { memberName, packStart, scoredPart } from '../src/container-contract/places.js';
import { progressMetadata } from '../src/container-contract/progress.js';
import { isPassing } from '../src/container-contract/storage-access.js';
import { parseTask, type ScoreTask, type TaskItem } from '../src/container-contract/task.js';
import { LIST_LENGTH } from '../src/job/items/item-list.js';
import { parseSpec } from '../src/job/spec.js';
import { INBOX, jobOf, modelBlob, modelsOf, OUTBOX, workOf } from '../src/job-store/layout.js';
import { type ResolvedJob, writeResolvedJob } from '../src/job-store/resolved-job.js';
import { createMedia } from '../src/media/media.js';
import { Tally } from '../src/scorer/records/tally.js';
import { TaskBlobs } from '../src/scorer/run/task-blobs.js';
import { TimeAccount } from '../src/scorer/records/time-account.js';
import { SILENT } from '../src/telemetry/telemetry.js';
import { NO_NOTICES } from '../test/support/no-notices.js';
import { notSetUp } from '../test/support/aci.js';
import { tools } from '../test/support/clip.js';
import { runJob } from '../test/support/in-process.js';
import { openAzurite } from '../test/support/storage.js';

const [images = 1_000_000, pack = LIST_LENGTH] = process.argv.slice(2).map(Number);
const LANES = 50;
const PAGE = 5000;
/** USD for 10,000 requests: Blob Storage, general purpose v2, LRS, hot, East US; facts change, ratios hardly. */
const PRICES = { write: 0.055, list: 0.055, read: 0.0045, delete: 0 };

const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-million-'));
const azurite = await startAzurite(folder, process.env);
const KINDS: Record<string, keyof typeof PRICES> = { PUT: 'write', POST: 'write', DELETE: 'delete' };
const requests = new Map<keyof typeof PRICES, number>();
const proxied = await startCounter(
  Number(/BlobEndpoint=http:\/\/127\.0\.0\.1:(\d+)/.exec(azurite.connectionString)?.[1]),
);
const storage = openAzurite(
  azurite.connectionString.replace(/(BlobEndpoint=http:\/\/127\.0\.0\.1:)\d+/, `$1${proxied.port}`),
);

/** Counts what goes to storage, and makes up the listing of the folder itself. */
async function startCounter(port: number): Promise<{ port: number; close: () => void }> {
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://storage');
    const isList = url.searchParams.get('comp') === 'list';
    const kind = isList ? 'list' : (KINDS[request.method ?? ''] ?? 'read');
    requests.set(kind, (requests.get(kind) ?? 0) + 1);
    if (isList && url.searchParams.get('prefix') === 'million/') {
      response.setHeader('Content-Type', 'application/xml');
      response.end(pageOf(Number(url.searchParams.get('marker') ?? 0)));
      return;
    }
    const { method, headers } = request;
    const sent = http.request({ host: '127.0.0.1', port, method, path: request.url, headers, agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.rawHeaders);
      answer.pipe(response);
    });
    sent.on('error', () => response.destroy());
    request.pipe(sent);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.closeAllConnections();
    server.close();
    agent.destroy();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

function pageOf(first: number): string {
  const last = Math.min(first + PAGE, images);
  const blobs = Array.from(
    { length: last - first },
    (_, k) =>
      `<Blob><Name>million/${String(first + k).padStart(7, '0')}.jpg</Name><Properties><Content-Length>1</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>`,
  );
  const next = last < images ? String(last) : '';
  return `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="${INBOX}"><Blobs>${blobs.join('')}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`;
}

/** Runs what a scorer asks of storage but for the pictures; it reads each once. */
function simulatedCompute(): ComputeProvider {
  const ended = new Set<string>();
  return {
    poll: { minSeconds: 1, maxSeconds: 1 },
    preflight: () => Promise.resolve({ maxParallel: LANES, warnings: [] }),
    launch: async ({ name, environment }) => {
      if (ended.has(name)) return;
      await score(new TaskBlobs(readEnvironment(environment)));
      ended.add(name);
    },
    observe: (name) => Promise.resolve(ended.has(name) ? { state: 'succeeded', exitCode: 0 } : { state: 'lost' }),
    logs: () => Promise.resolve([]),
    remove: () => Promise.resolve(),
    list: () => Promise.resolve([]),
  };
}

async function score(blobs: TaskBlobs): Promise<void> {
  const { signal } = new AbortController();
  const task = parseTask(await blobs.readTask(signal));
  const [first, last] = [task.items[0]?.index ?? 0, task.items.at(-1)?.index ?? 0];
  await blobs.readModel(signal);
  await blobs.storedItems({ first, last }, signal);
  const tally = new Tally(task, new Date().toISOString(), new TimeAccount(), () => undefined);
  const report = () =>
    blobs.writeRecord(task.progressBlob, JSON.stringify(tally.progress()), progressMetadata(tally.progress()));
  await report();
  const cells = new Map<number, TaskItem[]>();
  for (const item of task.items) {
    const start = packStart(item.index, task.pack);
    cells.set(start, [...(cells.get(start) ?? []), item]);
  }
  for (const items of cells.values()) await storePart(blobs, task, items);
  for (const item of task.items) tally.itemScored(item, tally.itemTime());
  tally.itemsStored(task.items);
  await report();
  await blobs.writeLog(task.logBlob, '', undefined);
  await blobs.growingRecord(task.timingsBlob ?? '')('{}\n');
  await blobs.writeRecord(task.resultBlob, JSON.stringify(tally.result('completed', undefined)));
}

async function storePart(blobs: TaskBlobs, { pack: size, output }: ScoreTask, items: TaskItem[]): Promise<void> {
  const { signal } = new AbortController();
  const range = { first: items[0]?.index ?? 0, last: items.at(-1)?.index ?? 0 };
  const members = items.map(({ name, index }) => ({
    name: memberName(index, output.ending),
    bytes: Buffer.from(`${JSON.stringify({ item: name, classes: [{ index: 1, score: 1 }] })}\n`),
  }));
  const part = scoredPart(range, size, output.ending);
  if (size > 1) await blobs.storePack(part, members, {}, signal);
  else for (const { bytes } of members) await blobs.storeOutput(part, bytes, signal);
}

let highest = 0;
const watch = setInterval(() => (highest = Math.max(highest, process.memoryUsage.rss())), 100);
try {
  const jobId = 'million';
  const spec = parseSpec(
    JSON.stringify({ input: { images: `${INBOX}/million/` }, model: 'none', batch: { maxParallel: LANES } }),
  );
  const output = `${OUTBOX}/${jobId}/`;
  const card = { output: { kind: 'classes' } };
  const job = {
    jobId,
    spec,
    images: `${INBOX}/million/`,
    output,
    card,
    pack,
    parallel: LANES,
    createdAt: new Date().toISOString(),
  };
  for (const container of [jobOf(storage, jobId), workOf(storage, jobId), modelsOf(storage)])
    await container.createIfNotExists();
  await modelsOf(storage).getBlockBlobClient(modelBlob('none')).upload('', 0);
  await writeResolvedJob(storage, job as unknown as ResolvedJob);
  const activities: Record<string, (input: never) => Promise<object>> = createActivities({
    storage,
    media: createMedia(tools),
    compute: { ...notSetUp(), local: simulatedCompute() },
    inspectModel: () => Promise.reject(new Error('nothing is inspected')),
    telemetry: SILENT,
    notices: NO_NOTICES,
    tempFolder: folder,
    bundledModels: folder,
  });
  const prepared = { expectedItems: 0, splitChunks: 0, delivers: 'images', enlarged: 0, parallel: LANES, warnings: [] };
  const deliver = async (name: string, input: object): Promise<unknown> => {
    try {
      return { ok: true, value: name === 'prepareJob' ? prepared : await activities[name]?.(input as never) };
    } catch (error) {
      return { ok: false, failure: failureOf(error, isPassing) };
    }
  };
  requests.clear();
  const began = performance.now();
  const result = await runJob({ jobId, spec }, deliver);
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage();
  requests.set('read', (requests.get('read') ?? 0) + images);
  console.log(JSON.stringify(result));
  const rows = [...requests].map(([kind, times]) => ({ kind, times, USD: (times / 10_000) * PRICES[kind] }));
  console.table(rows);
  const total = rows.reduce((sum, { times, USD }) => ({ times: sum.times + times, USD: sum.USD + USD }), {
    times: 0,
    USD: 0,
  });
  console.log(
    `${images} images in packs of ${pack}: ${total.times} requests, ${images} of them read the pictures; ${total.USD.toFixed(2)} USD; ${seconds.toFixed(0)} s, ${((user + system) / 1e6).toFixed(0)} s of this process's CPU, at most ${(highest / 2 ** 20).toFixed(0)} MiB`,
  );
} finally {
  clearInterval(watch);
  proxied.close();
  await azurite.stop();
  rmSync(folder, { recursive: true, force: true });
}
