import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { JobStatus } from '../../src/api/jobs.js';
import { messageOf } from '../../src/job/failure.js';
import { addUp } from '../../src/job/manifest.js';
import { readPlaces } from '../../src/job-store/inbox/places.js';
import { jobContainer, jobOf, MANIFEST, mediaBlob, outputsOf, splitPath, workOf } from '../../src/job-store/layout.js';
import type { Manifest } from '../../src/job-store/manifest.js';
import { poll } from '../../src/poll.js';
import { listBlobs, readBytes, type Storage } from '../../src/storage/storage.js';
import { checkManifest } from '../support/manifest.js';
import { processesWith } from '../support/processes.js';
import type { World } from './world.js';

/** By the name below a job's output: SHA-256 of each file that it has delivered. */
export type Delivered = Map<string, string>;

/** What a job has put where its status says. */
export async function deliveredBy({ media }: Storage, output: string): Promise<Delivered> {
  const { container: name, blob: prefix } = splitPath(output);
  const container = media.getContainerClient(name);
  const files: Delivered = new Map();
  for await (const blob of listBlobs(container, { prefix })) {
    const bytes = await container.getBlobClient(blob.name).downloadToBuffer();
    files.set(prefix.endsWith('/') ? blob.name.slice(prefix.length) : path.extname(blob.name), sha256(bytes));
  }
  return files;
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** What is wrong with a job that is done: its outputs against those of an undisturbed run, its status, its manifest. One sentence each. */
export async function findWrong(
  storage: Storage,
  status: JobStatus,
  items: number,
  expected: Delivered,
): Promise<string[]> {
  const wrong: string[] = [];
  const { id, output } = status;
  const delivered = await deliveredBy(storage, output ?? '');
  for (const [name, hash] of expected)
    if (delivered.get(name) !== hash) wrong.push(`${name} ${delivered.has(name) ? 'has other bytes' : 'is missing'}`);
  for (const name of delivered.keys())
    if (!expected.has(name)) wrong.push(`${name} is no output of an undisturbed run`);
  const { total, done, failed } = status.items;
  if (total !== items || done !== items || failed !== 0)
    wrong.push(`its status counts ${JSON.stringify(status.items)}`);
  const manifest = await readBytes(jobOf(storage, id), MANIFEST);
  if (!manifest) return [...wrong, 'it has no manifest'];
  try {
    return [...wrong, ...(await findWrongSums(storage, checkManifest(manifest), items, expected))];
  } catch (error) {
    return [...wrong, `its manifest is not valid: ${messageOf(error)}`];
  }
}

async function findWrongSums(
  storage: Storage,
  { outcome, items, totals, scorings, batches, outputs, failedItems }: Manifest,
  expectedItems: number,
  expected: Delivered,
): Promise<string[]> {
  const wrong: string[] = [];
  const expect = (what: string, found: unknown, wanted: unknown) => {
    if (found !== wanted) wrong.push(`its manifest says ${String(found)} for ${what}, not ${String(wanted)}`);
  };
  expect('outcome', outcome, 'done');
  expect('items', items, expectedItems);
  expect('done items', totals.done, expectedItems);
  expect('failed items', totals.failed + totals.givenUp + totals.neverReached + failedItems.length, 0);
  addUp(items, batches);
  expect(
    'runs of its batches',
    batches.reduce((sum, { runs }) => sum + runs, 0),
    totals.attempts,
  );
  expect('a useful scoring of each item at most', scorings.all - scorings.wasted <= items, true);
  const folder = outputs.folder?.files ?? 0;
  expect('files', folder + outputs.files.length, expected.size);
  for (const file of outputs.files) {
    const bytes = await mediaBlob(storage, file.path).downloadToBuffer();
    expect(`the bytes of ${file.path}`, file.bytes, bytes.length);
    expect(`the SHA-256 of ${file.path}`, file.sha256, sha256(bytes));
  }
  return wrong;
}

/** How long what a job leaves may take to go: leases of a host that was killed end after half a minute. */
const PATIENCE_MS = 45_000;

/** What jobs that have ended still hold after a while. One sentence each. */
export async function findLeaked(world: World, ids: string[]): Promise<string[]> {
  let left: string[] = [];
  const look = async () => {
    left = await leftOf(world, ids);
    return left.length === 0 ? true : undefined;
  };
  await poll(look, { pauseMs: 100, withinMs: PATIENCE_MS });
  return left;
}

async function leftOf({ storage, azure, folder, running }: World, ids: string[]): Promise<string[]> {
  const of = new Set(running());
  const processes = ids.flatMap((id) =>
    processesWith(`${jobContainer(id)}?`).flatMap((pid) => (of.has(pid) ? [`process ${pid} of job ${id} runs`] : [])),
  );
  const groups = (await (await fetch(`${azure}/emulator/groups`)).json()) as { present: string[] };
  const executions = (await (await fetch(`${azure}/emulator/executions`)).json()) as { live: object[] };
  const containers = [...groups.present, ...executions.live.map((each) => JSON.stringify(each))];
  const places = (await readPlaces(storage)).places.map(({ job }) => job);
  const held: string[] = [];
  for await (const { name } of listBlobs(outputsOf(storage), { prefix: '' })) held.push(name);
  const leased: string[] = [];
  for (const container of ids.flatMap((id) => [jobOf(storage, id), workOf(storage, id)]))
    for await (const { name, properties } of listBlobs(container, { prefix: '' }))
      if (properties.leaseState === 'leased') leased.push(`${container.containerName}/${name}`);
  const files = readdirSync(path.join(folder, 'temp'));
  return [
    ...processes,
    ...containers.filter((name) => ids.some((id) => name.includes(id))).map((name) => `container ${name} is left`),
    ...places.filter((job) => ids.includes(job)).map((job) => `job ${job} has its place`),
    ...held.filter((name) => ids.some((id) => name.includes(id))).map((name) => `the output ${name} is held`),
    ...leased.map((name) => `${name} is leased`),
    ...files.filter((name) => ids.some((id) => name.includes(id))).map((name) => `the temporary file ${name} is left`),
  ];
}

/** Removes all that the jobs have stored, so that a long run needs no more disk than a short one. */
export async function removeJobs({ storage }: World, statuses: JobStatus[]): Promise<void> {
  for (const { id, output } of statuses) {
    await Promise.all([jobOf(storage, id), workOf(storage, id)].map((container) => container.deleteIfExists()));
    if (output === null) continue;
    const { container, blob: prefix } = splitPath(output);
    for await (const { name } of listBlobs(storage.media.getContainerClient(container), { prefix }))
      await mediaBlob(storage, `${container}/${name}`).deleteIfExists();
  }
}
