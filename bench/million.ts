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
import { isPassing } from '../src/container-contract/storage-access.js';
import { LIST_LENGTH } from '../src/job/items/item-list.js';
import { parseSpec } from '../src/job/spec.js';
import { INBOX, jobOf, modelBlob, modelsOf, OUTBOX, workOf } from '../src/job-store/layout.js';
import { type ResolvedJob, writeResolvedJob } from '../src/job-store/resolved-job.js';
import { createMedia } from '../src/media/media.js';
import { SILENT } from '../src/telemetry/telemetry.js';
import { NO_NOTICES } from '../test/support/no-notices.js';
import { notSetUp } from '../test/support/aci.js';
import { tools } from '../test/support/clip.js';
import { runJob } from '../test/support/in-process.js';
import { openAzurite } from '../test/support/storage.js';
import { simulatedCompute } from './simulated-scorer.js';

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
      `<Blob><Name>million/${String(first + k).padStart(7, '0')}.jpg</Name><Properties><Etag>"0x1"</Etag><Content-Length>1</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>`,
  );
  const next = last < images ? String(last) : '';
  return `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="${INBOX}"><Blobs>${blobs.join('')}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`;
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
    compute: { ...notSetUp(), local: simulatedCompute(LANES) },
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
