import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createJobClient } from '../../../src/cli/client/client.js';
import { listUnfinished, noteUnfinished } from '../../../src/cli/client/unfinished.js';
import { jobOf, MANIFEST, mediaBlob, workOf } from '../../../src/job-store/layout.js';
import { endOfManifest, enterJob } from '../../../src/job-store/list/job-list.js';
import { lockFolder } from '../../../src/processes/folder-lock.js';
import { type Storage, writeJson } from '../../../src/storage/storage.js';
import { runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { openAzurite } from '../../support/storage.js';
import { until } from '../../support/wait.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-clean-'));
const MB = 1_000_000;
const clean = (...options: string[]) => runCli(['clean', '--data', folder, ...options]);

async function withStorage<T>(work: (storage: Storage) => Promise<T>): Promise<T> {
  const { startAzurite } = await import('../../../dist/stack/azurite.js');
  const azurite = await startAzurite(folder, process.env);
  try {
    return await work(openAzurite(azurite.connectionString));
  } finally {
    await azurite.stop();
  }
}

async function makeJob(storage: Storage, id: string, manifest?: object): Promise<void> {
  await Promise.all([workOf(storage, id).create(), jobOf(storage, id).create()]);
  await workOf(storage, id)
    .getBlockBlobClient('frames/0000000.ppm')
    .uploadData(randomBytes(3 * MB));
  if (manifest) await writeJson(jobOf(storage, id), MANIFEST, { finishedAt: '2026-01-02T03:04:05Z', ...manifest });
}

beforeAll(async () => {
  await withStorage(async (storage) => {
    await makeJob(storage, 'goes-on-k3v9q2xa');
    await storage.media.getContainerClient('outbox').create();
    await mediaBlob(storage, 'outbox/a.mp4').uploadData(Buffer.from('delivered'));
    await makeJob(storage, 'failed-k3v9q2xa', { outcome: 'failed' });
    await makeJob(storage, 'cancelled-k3v9q2xa', { outcome: 'cancelled' });
  });
  mkdirSync(path.join(folder, 'job-999999999'));
  writeFileSync(path.join(folder, 'job-999999999/devhost.log'), 'x'.repeat(MB));
  mkdirSync(path.join(folder, 'telemetry'));
  writeFileSync(path.join(folder, 'telemetry/host.jsonl'), 'x'.repeat(MB));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const onDisk = () =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);

test('clean lists what goes and how much it is, and removes it only when told to', async () => {
  const before = onDisk();
  const dry = await clean();
  expect(dry.stdout).toMatch(/3\.0 MB {2}job failed-k3v9q2xa, failed on 2026-01-02/);
  expect(dry.stdout).toMatch(/3\.0 MB {2}job cancelled-k3v9q2xa, cancelled on/);
  expect(dry.stdout).toMatch(/1\.0 MB {2}job-999999999/);
  expect(dry.stdout).toMatch(/1\.0 MB {2}telemetry/);
  expect(dry.stdout).toMatch(/next start: 1 job/);
  expect(dry.stdout).toMatch(/8\.0 MB in all\. Nothing has been removed yet: add --yes/);
  expect(dry.stdout).not.toMatch(/goes-on|outbox/);
  expect(onDisk()).toBeGreaterThan(before - MB);

  const wet = await clean('--yes');
  expect(wet.stdout).toMatch(/8\.0 MB in all have been removed/);
  expect(wet.code).toBe(0);
  expect(before - onDisk()).toBeGreaterThan(1.9 * MB);
  expect(existsSync(path.join(folder, 'job-999999999'))).toBe(false);
  await withStorage(async (storage) => {
    expect(await workOf(storage, 'failed-k3v9q2xa').exists()).toBe(false);
    expect(await jobOf(storage, 'failed-k3v9q2xa').exists()).toBe(false);
    expect(await workOf(storage, 'goes-on-k3v9q2xa').exists()).toBe(true);
    expect((await mediaBlob(storage, 'outbox/a.mp4').downloadToBuffer()).toString()).toBe('delivered');
  });
});

test('what was cleaned stays so when the stack runs again, and no command goes on with a job that is gone', async () => {
  const data = foreignFolder();
  const { startStack } = await import('../../../dist/stack/stack.js');
  const start = async () => {
    const stack = await startStack({ folder: data, emulateAzure: false, env: process.env });
    onTestFinished(stack.stop);
    return { ...stack, client: createJobClient(stack.url, undefined) };
  };
  const first = await start();
  const clip = makeClip(path.join(data, 'clip.mp4'), { size: '64x48' });
  const video = await first.client.upload('video', clip);
  const job = await first.client.start({ input: { video }, model: 'starry-night' });
  const note = { job, request: 'r', options: {}, pid: 1, started: '', startedAt: '2026-01-02T03:04:05Z' };
  await noteUnfinished(data, note);
  await until(`the end of job ${job}`, async () => (await first.client.status(job)).state === 'done' || undefined);
  // Of a job that was terminated before it began there is nothing but its place in the list.
  const never = { jobId: 'never-began-k3v9q2xa', acceptedAt: Date.now(), run: 1, model: 'm', compute: 'local' };
  const end = endOfManifest({ outcome: 'cancelled', message: 'Terminated.', finishedAt: '2026-01-02T03:04:05Z' });
  await enterJob(openAzurite(first.storage), { ...never, input: 'inbox/a.mp4', end });
  await first.stop();
  for (const says of [new RegExp(`job ${job}, done on`), /There is nothing to remove\./])
    expect(await runCli(['clean', '--yes', '--data', data])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(says),
    });
  expect(await listUnfinished(data)).toEqual([]);

  const again = await start();
  await expect(again.client.status(job)).rejects.toThrow(`Job "${job}" ended on`);
  await expect(again.client.redrive(job)).rejects.toThrow('its records have been removed');
  expect((await again.client.jobs({ limit: 10, from: '' })).jobs).toEqual([]);
  const storage = openAzurite(again.storage);
  expect(await jobOf(storage, job).exists()).toBe(false);
  expect(await workOf(storage, job).exists()).toBe(false);
});

test('clean refuses while the stack runs, and needs no folder', async () => {
  const lock = await lockFolder(folder);
  onTestFinished(() => lock.release());
  const { code, stderr } = await clean('--yes', '--all');
  expect(stderr).toMatch(/^The local stack runs on .+; stop it before you clean\.$/m);
  expect(code).toBe(2);
  expect((await runCli(['clean', '--data', path.join(folder, 'none')])).stdout).toMatch(/nothing to clean/);
});

/** A folder of a user's own, which only looks like a stack's. */
function foreignFolder(...files: string[]): string {
  const own = mkdtempSync(path.join(os.tmpdir(), 'scoring-own-'));
  onTestFinished(() => rmSync(own, { recursive: true, force: true }));
  for (const file of files) {
    mkdirSync(path.dirname(path.join(own, file)), { recursive: true });
    writeFileSync(path.join(own, file), 'mine');
  }
  return own;
}

test('clean removes nothing that no stack has put there, not even with --all', async () => {
  const files = ['thesis.txt', 'temp/draft.txt', 'job-17/results.csv', 'job-18/devhost.log'];
  const own = foreignFolder(...files);
  for (const options of [[], ['--all']])
    expect((await runCli(['clean', '--yes', '--data', own, ...options])).code).toBe(0);
  expect(files.filter((file) => existsSync(path.join(own, file)))).toEqual(files.slice(0, 3));
});

test('a stack refuses a folder whose "temp" is the user\'s, and no name at all', async () => {
  const own = foreignFolder('temp/draft.txt');
  const started = await runCli(['start', '--data', own]);
  expect(started).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^The folder .+ has a folder "temp" .+--data\.$/m),
  });
  expect(existsSync(path.join(own, 'temp/draft.txt'))).toBe(true);
  for (const args of [['start'], ['clean', '--all', '--yes']])
    expect(await runCli([...args, '--data', ''], { cwd: own })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/is empty/),
    });
  expect(readdirSync(own)).toEqual(['temp']);
});

test.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)(
  'clean frees a disk that is full, and says what it cannot remove until there is room',
  async () => {
    const full = foreignFolder();
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', full]).status !== 0) return;
    onTestFinished(() => void spawnSync('umount', [full]));
    mkdirSync(path.join(full, 'azurite'));
    mkdirSync(path.join(full, 'job-999999999'));
    const fill = (name: string) => spawnSync('dd', ['if=/dev/zero', `of=${path.join(full, name)}`, 'bs=4k']);
    fill('job-999999999/devhost.log');
    const cleanFull = (...options: string[]) => runCli(['clean', '--data', full, ...options]);

    expect(await cleanFull()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/is full[^]+job-999999999[^]+add --yes/),
    });
    expect(await cleanFull('--yes')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/1\.0 MB in all have been/),
    });
    fill('azurite.log');
    expect(await cleanFull('--yes')).toMatchObject({ code: 2, stderr: expect.stringMatching(/disk is full.+--all/) });
    expect(await cleanFull('--yes', '--all')).toMatchObject({ code: 0 });
    expect(existsSync(path.join(full, 'azurite.log'))).toBe(false);
  },
);
