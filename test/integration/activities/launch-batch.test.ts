import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, inject, test } from 'vitest';
import { createLaunchBatch } from '../../../src/activities/batches/launch-batch.js';
import { parseSpec } from '../../../src/job/spec.js';
import { containerName, jobOf, RESOLVED_JOB, taskBlob, workOf } from '../../../src/job-store/layout.js';
import { whileHolding } from '../../../src/storage/lease.js';
import { writeJson } from '../../../src/storage/storage.js';
import { openAzurite } from '../../support/storage.js';
import { aciCompute, notSetUp, useEmulator } from '../../support/aci.js';

const connection = inject('storage');
const open = () => openAzurite(connection);
const storage = open();
const azure = useEmulator({ command: [process.execPath, '-e', 'setInterval(() => undefined, 1000)'] });

let jobId = '';
const attempt = () => ({ jobId, batch: 0, first: 0, count: 4, attempt: 1 });
const task = () => jobOf(storage, jobId).getBlockBlobClient(taskBlob(0, 1));

beforeEach(async () => {
  jobId = `coast-${randomBytes(4).toString('hex')}`;
  await Promise.all([jobOf(storage, jobId).create(), workOf(storage, jobId).create()]);
  const spec = parseSpec('{"input":{"video":"inbox/a.mp4"},"model":"starry-night","compute":{"kind":"aci"}}');
  await writeJson(jobOf(storage, jobId), RESOLVED_JOB, {
    jobId,
    spec,
    card: { output: {} },
    video: {},
    parallel: 1,
    pack: 1,
  });
  azure.exchanges.length = 0;
  azure.emulator.azure.created.length = 0;
});

/** The activity as one more instance of the app would run it. */
function launchBatch() {
  const aci = aciCompute(azure.emulator.url);
  return createLaunchBatch({ storage: open(), compute: { ...notSetUp(), aci } });
}
const creates = () => azure.exchanges.filter(({ request }) => request.method === 'PUT').length;

describe('a launch that is delivered', () => {
  test('to many instances at once creates one container group, and the others are to ask again', async () => {
    const deliveries = await Promise.allSettled(Array.from({ length: 8 }, () => launchBatch()(attempt())));
    const refusals = deliveries.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
    expect(refusals.length).toBeLessThan(8);
    for (const refusal of refusals) expect(refusal).toMatchObject({ blame: 'platform', retryAfterSeconds: 5 });
    expect(await launchBatch()(attempt())).toEqual({ attempt: 1, remaining: 4, stopped: false });
    expect(azure.emulator.azure.created).toEqual([containerName(jobId, 0, 1)]);
    expect(creates()).toBe(1);
  });

  test('again after a delivery died before its create is created then, and not before its hold has ended', async () => {
    await writeJson(jobOf(storage, jobId), taskBlob(0, 1), {});
    const dead = task().getBlobLeaseClient();
    await dead.acquireLease(15);
    await expect(launchBatch()(attempt())).rejects.toThrow(/^Another worker .*batch 0, attempt 1/);
    expect(creates()).toBe(0);
    // As if its time were over.
    await dead.breakLease(0);
    await launchBatch()(attempt());
    expect(azure.emulator.azure.created).toEqual([containerName(jobId, 0, 1)]);
  });

  test('again after a delivery died behind its create finds the group', async () => {
    azure.emulator.faults.add({ on: 'PUT', cut: true });
    azure.emulator.faults.add({ on: 'GET', times: 1, status: 404, code: 'ResourceNotFound' });
    azure.emulator.faults.add({ on: 'GET', times: 1, status: 503, code: 'ServerBusy' });
    await expect(launchBatch()(attempt())).rejects.toMatchObject({ blame: 'platform' });
    await launchBatch()(attempt());
    expect(azure.emulator.azure.created).toEqual([containerName(jobId, 0, 1)]);
  });
});

test('a launch whose first delivery died with the app goes on at once where the containers ended with it, too', async () => {
  await writeJson(jobOf(storage, jobId), taskBlob(0, 1), {});
  const dead = task().getBlobLeaseClient();
  await dead.acquireLease(15);
  const names: string[] = [];
  const local = { ...notSetUp().local, launch: async (request: { name: string }) => void names.push(request.name) };
  const spec = parseSpec('{"input":{"video":"inbox/a.mp4"},"model":"starry-night","compute":{"kind":"local"}}');
  const found = { pack: 1, parallel: 1, card: { output: {} }, video: {} };
  await writeJson(jobOf(storage, jobId), RESOLVED_JOB, { ...found, jobId, spec });
  const launch = createLaunchBatch({ storage: open(), compute: { ...notSetUp(), local } });
  expect(await launch(attempt())).toMatchObject({ attempt: 1, remaining: 4 });
  expect(names).toEqual([containerName(jobId, 0, 1)]);
  await expect(dead.renewLease()).rejects.toMatchObject({ statusCode: 409 });
});

test('a launch that turns to another compute removes what the one before may have started all the same, and says where it is', async () => {
  const found = { pack: 1, parallel: 1, card: { output: {} }, video: {} };
  const compute = { kind: 'aci', region: 'westeurope', fallback: [{ region: 'northeurope' }, { kind: 'local' }] };
  const spec = parseSpec(JSON.stringify({ input: { video: 'inbox/a.mp4' }, model: 'starry-night', compute }));
  const computes = [{ kind: 'aci', region: 'westeurope' }, { kind: 'aci', region: 'northeurope' }, { kind: 'local' }];
  await writeJson(jobOf(storage, jobId), RESOLVED_JOB, { ...found, jobId, spec, computes });
  const groups = () => [...azure.emulator.azure.groups.values()].map(({ name, body }) => `${name} ${body.location}`);
  const name = containerName(jobId, 0, 1);
  const launched: string[] = [];
  const local = { ...notSetUp().local, launch: async (request: { name: string }) => void launched.push(request.name) };
  const computesOfApp = { ...notSetUp(), local, aci: aciCompute(azure.emulator.url) };
  const launch = createLaunchBatch({ storage: open(), compute: computesOfApp });

  await launch({ ...attempt(), compute: 1 });
  expect(groups()).toContain(`${name} northeurope`);
  expect(await launch({ ...attempt(), compute: 0, again: true })).toMatchObject({ attempt: 1, compute: 1 });
  // Also of a batch that goes on, as all do that are started once more.
  expect(await launch({ ...attempt(), compute: 2, moved: true, again: true })).not.toHaveProperty('compute');
  expect(launched).toEqual([name]);
  expect(groups().filter((group) => group.startsWith(jobId))).toEqual([]);
});

describe('who holds a blob', () => {
  test('and stood still until somebody else took it is told so before the create', async () => {
    await writeJson(jobOf(storage, jobId), taskBlob(0, 1), {});
    const work = whileHolding(task(), 'the launch', async (confirm) => {
      await confirm();
      const other = task().getBlobLeaseClient();
      await other.breakLease(0);
      await other.acquireLease(15);
      await confirm();
    });
    await expect(work).rejects.toMatchObject({
      blame: 'platform',
      message: expect.stringContaining('Another worker') as string,
    });
  });

  test('gives it back when the work has failed', async () => {
    await writeJson(jobOf(storage, jobId), taskBlob(0, 1), {});
    const failing = () => whileHolding(task(), 'it', () => Promise.reject(new Error('no')));
    await expect(failing()).rejects.toThrow('no');
    await expect(failing()).rejects.toThrow('no');
  });
});
