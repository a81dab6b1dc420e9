import { randomBytes } from 'node:crypto';
import { beforeEach, expect, inject, test } from 'vitest';
import { createHelpBatch } from '../../../src/activities/batches/help-batch.js';
import { shareOf } from '../../../src/container-contract/share.js';
import { parseSpec } from '../../../src/job/spec.js';
import { readTask } from '../../../src/job-store/batches/batch-state.js';
import { takeHelperPlace } from '../../../src/job-store/batches/helpers.js';
import { containerName, jobOf, progressBlob, RESOLVED_JOB, shareBlob, workOf } from '../../../src/job-store/layout.js';
import { stopJob } from '../../../src/job-store/stop.js';
import { writeJson } from '../../../src/storage/storage.js';
import { notSetUp } from '../../support/aci.js';
import { openAzurite } from '../../support/storage.js';

const connection = inject('storage');
const run = { parallel: 3, batches: 2 };
let storage = openAzurite(connection);
let jobId = '';
let launched: string[] = [];

beforeEach(async () => {
  storage = openAzurite(connection);
  jobId = `help-${randomBytes(4).toString('hex')}`;
  launched = [];
  await Promise.all([jobOf(storage, jobId).create(), workOf(storage, jobId).create()]);
  const spec = parseSpec('{"input":{"video":"inbox/a.mp4"},"model":"few"}');
  const job = { jobId, spec, card: { output: { kind: 'classes' } }, video: {}, parallel: run.parallel, pack: 1 };
  await writeJson(jobOf(storage, jobId), RESOLVED_JOB, job);
});

/** Asks for a container that helps batch 0, as a process of the app that has just started. */
function help(attempt = 2) {
  const launch = ({ name }: { name: string }) => Promise.resolve(void launched.push(name));
  const local = { ...notSetUp().local, endsWithApp: true as const, launch };
  const helpBatch = createHelpBatch({ storage: openAzurite(connection), compute: { ...notSetUp(), local } });
  return helpBatch({ jobId, batch: 0, first: 0, count: 20, attempt, helps: 1, batches: run.batches });
}

test('a container is launched for what has no output, and is told where it makes itself heard', async () => {
  await workOf(storage, jobId).getBlockBlobClient('scored/0000000.json').upload('{}', 2);
  expect(await help()).toEqual({ launched: true });
  const task = await readTask(storage, { jobId, batch: 0, attempt: 2 });
  expect(task?.items.map(({ index }) => index)).toEqual(Array.from({ length: 19 }, (_, k) => k + 1));
  expect(task).toMatchObject({ helps: 1, helpedBlob: progressBlob(0, 1), shareBlob: shareBlob(0, 1) });
});

test('where others help already it is launched for what nobody has taken up', async () => {
  await writeJson(jobOf(storage, jobId), shareBlob(0, 1), shareOf(1, { first: 0, last: 19 }, 14));
  expect(await help()).toEqual({ launched: true });
  const { items = [] } = (await readTask(storage, { jobId, batch: 0, attempt: 2 })) ?? {};
  expect(items.map(({ index }) => index)).toEqual([15, 16, 17, 18, 19]);
});

test('a second delivery takes no second place and asks for the same container', async () => {
  expect(await help()).toEqual({ launched: true });
  const task = await readTask(storage, { jobId, batch: 0, attempt: 2 });
  expect(await help()).toEqual({ launched: true });
  expect(new Set(launched)).toEqual(new Set([containerName(jobId, 0, 2)]));
  expect(await readTask(storage, { jobId, batch: 0, attempt: 2 })).toEqual(task);
  // One container is idle, and that has its place.
  expect(await takeHelperPlace(storage, jobId, { batch: 1, attempt: 2 }, run)).toBe(false);
});

test('without a place nothing is launched', async () => {
  expect(await takeHelperPlace(storage, jobId, { batch: 1, attempt: 2 }, run)).toBe(true);
  expect(await help()).toEqual({ launched: false });
  expect(launched).toEqual([]);
  expect(await readTask(storage, { jobId, batch: 0, attempt: 2 })).toBeUndefined();
});

test('where all was taken up nothing is launched, and no place is kept', async () => {
  await writeJson(jobOf(storage, jobId), shareBlob(0, 1), shareOf(1, { first: 0, last: 19 }, 18));
  expect(await help()).toEqual({ launched: false });
  expect(launched).toEqual([]);
  expect(await takeHelperPlace(storage, jobId, { batch: 1, attempt: 2 }, run)).toBe(true);
});

test('for a job that was stopped nothing is launched; what was launched before is still to be settled', async () => {
  await help();
  await stopJob(storage, jobId, { reason: 'cancelled', blame: 'user', message: 'Enough.' });
  expect(await help(3)).toEqual({ launched: false });
  expect(await help()).toEqual({ launched: true });
  expect(launched).toEqual([containerName(jobId, 0, 2)]);
});
