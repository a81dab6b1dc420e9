/**
 * Many small pictures classified by the local stack, with predictions in packs and with a blob for each as before; rounds are interleaved.
 * The network does nothing, so that what is left is the pictures and the storage. Run it with `npm run bench:classify -- 20000 2`: how many
 * pictures and rounds; a model file with its card may follow.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import getPort from 'get-port';
import pMap from 'p-map';
import sharp from 'sharp';
import { startAzurite } from '../dist/stack/azurite.js';
import { startPart } from '../dist/stack/part.js';
import { createJobClient } from '../src/cli/client/client.js';
import type { Manifest } from '../src/job-store/manifest.js';
import { INBOX } from '../src/job-store/layout.js';
import { paint } from '../test/support/scorer/pictures.js';
import { scoringModel } from '../test/support/scorer/tiny-model.js';
import { openAzurite } from '../test/support/storage.js';
import { until } from '../test/support/wait.js';

const ROOT = path.resolve(import.meta.dirname, '..');
const [count = 20_000, rounds = 2] = process.argv.slice(2, 4).map(Number);
const [givenModel] = process.argv.slice(4);
const PACKS = [1, 'auto'] as const;
const SIZE = 64;

const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-classify-'));
const azurite = await startAzurite(folder, process.env);
const inbox = openAzurite(azurite.connectionString).media.getContainerClient(INBOX);
await inbox.createIfNotExists();
const pictures = await Promise.all(
  Array.from({ length: 50 }, (_, seed) =>
    sharp(paint(SIZE, SIZE, seed).data, { raw: { width: SIZE, height: SIZE, channels: 3 } })
      .jpeg()
      .toBuffer(),
  ),
);
await pMap(
  Array.from({ length: count }, (_, index) => index),
  (index) => {
    const bytes = pictures[index % pictures.length] ?? Buffer.alloc(0);
    return inbox.getBlockBlobClient(`pictures/${String(index).padStart(7, '0')}.jpg`).upload(bytes, bytes.length);
  },
  { concurrency: 32 },
);

function identityModel(): string {
  const file = path.join(folder, 'classes.onnx');
  writeFileSync(file, scoringModel([1, 3, 8, 8]));
  writeFileSync(file.replace('.onnx', '.json'), JSON.stringify({ output: { kind: 'classes', top: 5 } }));
  return file;
}

const host = await startPart({
  title: 'The host',
  script: path.join(ROOT, 'devhost/dist/main.js'),
  args: [ROOT, '--port', String(await getPort())],
  env: { ...process.env, TEMP_FOLDER: path.join(folder, 'temp'), AzureWebJobsStorage: azurite.connectionString },
  logFile: path.join(folder, 'devhost.log'),
  ready: /listening on (http:\/\/\S+)/,
});
const client = createJobClient(host.ready[1] ?? '', undefined);
const file = givenModel ?? identityModel();
const model = await client.upload('model', file, { card: file.replace(/\.onnx$/, '.json') });

/** Seconds from the job's start to its end, and from the first container to the last. */
async function run(pack: (typeof PACKS)[number]): Promise<number> {
  const batch = { maxParallel: os.availableParallelism(), pack };
  const id = await client.start({ input: { images: `${INBOX}/pictures/` }, model, batch });
  const ended = async () => {
    const status = await client.status(id);
    return status.state === 'running' || status.state === 'queued' ? undefined : status;
  };
  const { state, createdAt } = await until(`the end of ${id}`, ended, 3600, 2000);
  if (state !== 'done') throw new Error(`Job ${id} is ${state} with packs of ${pack}.`);
  const manifest = path.join(folder, id);
  await client.download(id, 'manifest', manifest);
  const { finishedAt } = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest;
  return (Date.parse(finishedAt) - Date.parse(createdAt)) / 1000;
}

try {
  console.log(`${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, load ${os.loadavg()[0]?.toFixed(1)}`);
  const seconds = new Map(PACKS.map((pack) => [pack, [] as number[]]));
  for (let round = 0; round < rounds; round += 1)
    for (const pack of round % 2 === 0 ? PACKS : PACKS.toReversed()) seconds.get(pack)?.push(await run(pack));
  console.table(
    [...seconds].map(([pack, times]) => {
      const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
      return { 'batch.pack': pack, seconds: times.join(', '), 'images/s': Math.round(count / mean) };
    }),
  );
} finally {
  await host.stop();
  await azurite.stop();
  rmSync(folder, { recursive: true, force: true });
}
