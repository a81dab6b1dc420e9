/**
 * Listing and collecting an image folder through Azurite at growing numbers of blobs. Shows seconds and the highest memory of this process.
 * Run it with `npm run bench:images`; numbers of blobs may follow.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pMap from 'p-map';
import { createCollectItems } from '../src/activities/images/collect-items.js';
import { createCollectPredictions } from '../src/activities/images/collect-predictions.js';
import { createListImages } from '../src/activities/images/list-images.js';
import { startAzurite } from '../dist/stack/azurite.js';
import { parseSpec } from '../src/job/spec.js';
import { memberName, scoredPart } from '../src/container-contract/places.js';
import { LIST_LENGTH } from '../src/job/items/item-list.js';
import { INBOX, jobOf, OUTBOX, RESOLVED_JOB, workOf } from '../src/job-store/layout.js';
import { writeStoredPack } from '../src/job-store/stored-packs.js';
import { type Storage, writeJson } from '../src/storage/storage.js';
import { createMedia } from '../src/media/media.js';
import { tools } from '../test/support/clip.js';
import { openAzurite } from '../test/support/storage.js';

const counts = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1000, 20_000];
const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-images-'));
const media = createMedia(tools);
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
    pack: LIST_LENGTH,
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
  await pMap(indices(count), (index) => inbox.getBlockBlobClient(`${jobId}/${name(index)}`).upload('x', 1), {
    concurrency: 32,
  });
  const packs = indices(Math.ceil(count / LIST_LENGTH)).map((list) =>
    indices(Math.min(LIST_LENGTH, count - list * LIST_LENGTH)).map((k) => list * LIST_LENGTH + k),
  );
  for (const items of packs) {
    const members = items.map((index) => ({
      name: memberName(index, 'json'),
      bytes: Buffer.from(`${JSON.stringify({ item: name(index), classes: [{ index, score: 1 }] })}\n`),
    }));
    const range = { first: items[0] ?? 0, last: items.at(-1) ?? 0 };
    await writeStoredPack(workOf(storage, jobId), scoredPart(range, LIST_LENGTH, 'json'), members);
  }
  show(`list ${count} blobs`, await measured(() => createListImages({ storage })({ jobId })));
  const range = { jobId, first: 0, count };
  show(`collect ${count} lines`, await measured(() => createCollectItems({ storage })(range)));
  show(
    `merge ${count} lines`,
    await measured(() => createCollectPredictions({ storage, media, tempFolder: folder })({ jobId, items: count })),
  );
}

await azurite.stop();
rmSync(folder, { recursive: true, force: true });
