import { randomBytes } from 'node:crypto';
import { beforeEach, expect, inject, test } from 'vitest';
import { readEnvironment } from '../../../src/container-contract/environment.js';
import { TaskBlobs } from '../../../src/scorer/run/task-blobs.js';
import { containerSas } from '../../../src/storage/storage.js';
import { openAzurite } from '../../support/storage.js';

const NAME = 'now/progress/b00000-a1.json';
const scoring = { phase: 'scoring', done: '3' };
const storage = openAzurite(inject('storage'));
let job = storage.internal.getContainerClient('-');
/** As two containers reach the blobs of their job. */
let [first, helper]: TaskBlobs[] = [];

beforeEach(async () => {
  job = storage.internal.getContainerClient(`job-bell-${randomBytes(4).toString('hex')}`);
  await job.create();
  const url = await containerSas(storage, job, 'rcwl', Date.now() + 60_000);
  const environment = { TASK_BLOB: 'task', JOB_CONTAINER_URL: url, WORK_CONTAINER_URL: url, MODEL_URL: url };
  [first, helper] = [new TaskBlobs(readEnvironment(environment)), new TaskBlobs(readEnvironment(environment))];
});

const metadata = async () => (await job.getBlobClient(NAME).getProperties()).metadata;

/** The container that is there first, and how often it has heard somebody. */
function begin() {
  let rings = 0;
  const write = first?.recordWithBell(NAME, () => (rings += 1));
  return { report: () => write?.('{}', scoring), rings: () => rings };
}

test('a container hears with its next report, once, that another one waits to help', async () => {
  const { report, rings } = begin();
  await report();
  await report();
  expect(rings()).toBe(0);
  expect(await helper?.ring(NAME)).toBe(true);
  expect(await metadata()).toMatchObject(scoring);
  await report();
  expect(rings()).toBe(1);
  await helper?.ring(NAME);
  await report();
  expect(rings()).toBe(1);
});

test('one that its platform has started again takes it that somebody has been there', async () => {
  await job.getBlockBlobClient(NAME).upload('{}', 2);
  const { report, rings } = begin();
  await report();
  expect(rings()).toBe(1);
  expect(await metadata()).toMatchObject(scoring);
});

test('nobody waits for a container that has ended, but for one that has not reported yet', async () => {
  expect(await helper?.ring(NAME)).toBe(true);
  await job.getBlockBlobClient(NAME).upload('{}', 2, { metadata: { phase: 'ended' } });
  expect(await helper?.ring(NAME)).toBe(false);
});
