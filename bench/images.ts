/**
 * Listing and collecting an image folder through Azurite at growing numbers of blobs, then listing a million names that a server
 * of ours makes up page by page as blob storage would. Shows seconds and the highest memory of this process.
 * Run it with `npm run bench:images`; numbers of blobs may follow.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import pMap from 'p-map';
import { createCollectItems } from '../src/activities/images/collect-items.js';
import { createCollectPredictions } from '../src/activities/images/collect-predictions.js';
import { createListImages } from '../src/activities/images/list-images.js';
import { startAzurite } from '../dist/stack/azurite.js';
import { parseSpec } from '../src/job/spec.js';
import { scoredPart } from '../src/container-contract/places.js';
import { INBOX, jobOf, OUTBOX, RESOLVED_JOB, workOf } from '../src/job-store/layout.js';
import { type Storage, writeJson } from '../src/storage/storage.js';
import { openAzurite } from '../test/support/storage.js';

const counts = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1000, 20_000];
const MILLION = 1_000_000;
const PAGE = 5000;
const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-images-'));
const azurite = await startAzurite(folder, process.env);
const connection = azurite.connectionString;
const storage = openAzurite(connection);

const name = (index: number) => `a folder/of some depth/picture ${String(index).padStart(7, '0')}.jpeg`;
const indices = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Seconds of `work` and the most memory in MiB that this process held meanwhile. */
async function measured(work: () => Promise<unknown>): Promise<{ seconds: number; mebibytes: number }> {
  let highest = 0;
  const look = () => {
    highest = Math.max(highest, process.memoryUsage.rss());
  };
  const timer = setInterval(look, 20);
  const began = performance.now();
  await work();
  look();
  clearInterval(timer);
  return { seconds: (performance.now() - began) / 1000, mebibytes: highest / 2 ** 20 };
}

async function prepare(ports: { storage: Storage }, jobId: string): Promise<void> {
  await jobOf(ports.storage, jobId).create();
  const images = `${INBOX}/${jobId}/`;
  const spec = parseSpec(JSON.stringify({ input: { images }, model: 'none' }));
  const output = `${OUTBOX}/${jobId}/`;
  await writeJson(jobOf(ports.storage, jobId), RESOLVED_JOB, {
    pack: 1,
    jobId,
    spec,
    images,
    output,
    card: { output: { kind: 'classes' } },
  });
}

function show(what: string, { seconds, mebibytes }: { seconds: number; mebibytes: number }): void {
  console.log(`${what}: ${seconds.toFixed(1)} s, at most ${mebibytes.toFixed(0)} MiB`);
}

for (const count of counts) {
  const jobId = `bench-${count}`;
  await prepare({ storage }, jobId);
  const inbox = storage.media.getContainerClient(INBOX);
  await Promise.all([inbox.createIfNotExists(), workOf(storage, jobId).create()]);
  const fill = async (index: number) => {
    const line = `${JSON.stringify({ item: name(index), classes: [{ index, score: 1 }] })}\n`;
    await inbox.getBlockBlobClient(`${jobId}/${name(index)}`).upload('x', 1);
    await workOf(storage, jobId)
      .getBlockBlobClient(scoredPart({ first: index, last: index }, 1, 'json'))
      .upload(line, Buffer.byteLength(line));
  };
  await pMap(indices(count), fill, { concurrency: 32 });
  show(`list ${count} blobs`, await measured(() => createListImages({ storage })({ jobId })));
  const range = { jobId, first: 0, count };
  show(`collect ${count} lines`, await measured(() => createCollectItems({ storage })(range)));
  show(`merge ${count} lines`, await measured(() => createCollectPredictions({ storage })({ jobId, items: count })));
}

/** Answers List Blobs with the names of a million blobs; the marker is the index of a page's first one. */
const server = createServer((request, response) => {
  const first = Number(new URL(request.url ?? '', 'http://server').searchParams.get('marker') ?? 0);
  const last = Math.min(first + PAGE, MILLION);
  const blobs = indices(last - first).map(
    (k) =>
      `<Blob><Name>million/${name(first + k)}</Name><Properties><Content-Length>1</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>`,
  );
  const next = last < MILLION ? String(last) : '';
  response.setHeader('Content-Type', 'application/xml');
  response.end(
    `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="${INBOX}"><Blobs>${blobs.join('')}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`,
  );
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
const endpoint = `BlobEndpoint=http://127.0.0.1:${port}/media;AccountName=media;AccountKey=${Buffer.alloc(64).toString('base64')};`;
const invented = openAzurite(`DefaultEndpointsProtocol=http;${endpoint}`);
await prepare({ storage: invented }, 'million');
show('list 1000000 names', await measured(() => createListImages({ storage: invented })({ jobId: 'million' })));

server.close();
await azurite.stop();
rmSync(folder, { recursive: true, force: true });
