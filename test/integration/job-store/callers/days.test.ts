import { randomBytes } from 'node:crypto';
import { InvocationContext } from '@azure/functions';
import { expect, inject, test } from 'vitest';
import { dayOf } from '../../../../src/job/daily-limits.js';
import { JobError } from '../../../../src/job/failure.js';
import { parseSpec } from '../../../../src/job/spec.js';
import { countSize, readDay, removeDays } from '../../../../src/job-store/callers/days.js';
import { readOwner, removeOwner } from '../../../../src/job-store/callers/owners.js';
import { readPlaces } from '../../../../src/job-store/inbox/places.js';
import { createLauncher } from '../../../../src/triggers/launch.js';
import { SILENT } from '../../../../src/telemetry/telemetry.js';
import { openAzurite } from '../../../support/storage.js';

const storage = openAzurite(inject('storage'));
const name = (what: string) => `${what}-${randomBytes(4).toString('hex')}`;
const context = new InvocationContext({ logHandler: () => undefined });
const spec = parseSpec('{"input":{"images":"inbox/x/"},"model":"m"}');
const dailyLimits = { jobs: 3, items: 100, bytes: 1000 };
const limits = { jobs: 10_000, items: Infinity, bytes: Infinity };
/** Whether the host starts what it is asked to. */
const launcherOf = (starts = true) =>
  createLauncher({
    storage,
    telemetry: SILENT,
    limits,
    dailyLimits,
    host: {
      stateOf: () => Promise.resolve(undefined),
      start: () => (starts ? Promise.resolve() : Promise.reject(new Error('The host is gone.'))),
    },
  });
const today = (owner: string) => readDay(storage, owner, Date.now());
const newJob = (owner: string) => ({ jobId: name('job'), spec, owner, acceptedAt: Date.now(), items: 0, bytes: 10 });

test('starts at the same moment get what a day has left, each once, and those that get nothing take no place', async () => {
  const [owner, launcher] = [name('key'), launcherOf()];
  const jobs = Array.from({ length: 5 }, () => newJob(owner));
  const answers = await Promise.all([...jobs, ...jobs].map((job) => launcher.reserve(context, job)));
  const isPlaced = answers.map((answer) => !(answer instanceof JobError));
  const started = jobs.filter((_, k) => isPlaced[k]);
  expect(started).toHaveLength(3);
  // A request that comes again gets the same answer.
  expect(isPlaced.slice(5)).toEqual(isPlaced.slice(0, 5));
  expect(await today(owner)).toEqual({ jobs: 3, items: 0, bytes: 30 });
  const { places } = await readPlaces(storage);
  const placed = jobs.filter(({ jobId }) => places.some(({ job }) => job === jobId));
  expect(placed.map(({ jobId }) => jobId)).toEqual(started.map(({ jobId }) => jobId));
  expect(await launcher.reserve(context, newJob(name('key')))).not.toBeInstanceOf(JobError);
});

test('a job that could not be started counts no longer and is nobody’s', async () => {
  const [owner, launcher] = [name('key'), launcherOf(false)];
  const job = newJob(owner);
  expect(await launcher.reserve(context, job)).toMatchObject({ job: job.jobId });
  expect(await readOwner(storage, job.jobId)).toEqual({ owner, day: dayOf(Date.now()) });
  await expect(launcher.launch(context, job)).rejects.toThrow('The host is gone.');
  expect(await today(owner)).toEqual({ jobs: 0, items: 0, bytes: 0 });
  expect(await readOwner(storage, job.jobId)).toBeUndefined();
});

test('a run that starts a job once more counts for its owner, and stays the owner’s when it cannot start', async () => {
  const owner = name('key');
  const job = newJob(owner);
  expect(await launcherOf().reserve(context, job)).toMatchObject({ job: job.jobId });
  const again = { ...job, owner: name('key'), run: 2, items: 7 };
  expect(await launcherOf().reserve(context, again)).toMatchObject({ job: job.jobId });
  expect(await today(owner)).toEqual({ jobs: 2, items: 7, bytes: 20 });
  await expect(launcherOf(false).launch(context, again)).rejects.toThrow('The host is gone.');
  expect(await today(owner)).toEqual({ jobs: 1, items: 0, bytes: 10 });
  expect((await readOwner(storage, job.jobId))?.owner).toBe(owner);
});

test('what a job turns out to have counts once, and is refused when it is more than the day has left', async () => {
  const [owner, launcher] = [name('key'), launcherOf()];
  const [first, second] = [newJob(owner), newJob(owner)];
  for (const job of [first, second]) await launcher.reserve(context, job);
  await countSize(storage, first, { items: 60 }, dailyLimits);
  await countSize(storage, first, { items: 60 }, dailyLimits);
  expect(await today(owner)).toEqual({ jobs: 2, items: 60, bytes: 20 });
  const tooMuch = countSize(storage, second, { items: 41 }, dailyLimits);
  await expect(tooMuch).rejects.toMatchObject({ blame: 'user', message: expect.stringMatching(/60 items/) as string });
  await countSize(storage, second, { items: 40 }, dailyLimits);
  await countSize(storage, { jobId: name('job') }, { items: 1e9 }, dailyLimits);
  await removeOwner(storage, first.jobId);
  await removeDays(storage, Date.now() + 7 * 86_400_000);
  expect(await today(owner)).toEqual({ jobs: 2, items: 100, bytes: 20 });
  await removeDays(storage, Date.now() + 9 * 86_400_000);
  expect((await today(owner)).jobs).toBe(0);
});
