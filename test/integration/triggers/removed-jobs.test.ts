import { randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { writeFileSync } from 'node:fs';
import { type DurableOrchestrationStatus, OrchestrationRuntimeStatus } from 'durable-functions';
import { beforeAll, describe, expect, test } from 'vitest';
import { createFinishJob } from '../../../src/activities/finish-job.js';
import { planBatches } from '../../../src/job/plan.js';
import type { PublishedStatus } from '../../../src/job/progress.js';
import { parseSpec } from '../../../src/job/spec.js';
import { jobContainer, workContainer } from '../../../src/job-store/layout.js';
import { enterJob, type EntryKey, findEntries } from '../../../src/job-store/list/job-list.js';
import { readManifest } from '../../../src/job-store/manifest.js';
import { removeJob } from '../../../src/job-store/retention.js';
import { tellTo } from '../../../src/telemetry/telemetry.js';
import { createJobWatch } from '../../../src/triggers/job-watch.js';
import { notSetUp } from '../../support/aci.js';
import { runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { NO_NOTICES } from '../../support/no-notices.js';
import { keepRecords } from '../../support/records.js';
import { useStack } from '../../support/stack.js';
import { openAzurite } from '../../support/storage.js';
import { until } from '../../support/wait.js';

const stack = useStack();
let storage: ReturnType<typeof openAzurite>;
beforeAll(() => {
  storage = openAzurite(stack.connectionString);
});

/** What storage has of a job: its containers, its place in the list, and what tells of its end. */
async function leftOf(jobId: string): Promise<string[]> {
  const [job, work] = [jobContainer(jobId), workContainer(jobId)].map((name) => stack.storage.getContainerClient(name));
  const left: string[] = [];
  if ((await job?.exists()) === true) for await (const { name } of job?.listBlobsFlat() ?? []) left.push(name);
  if ((await work?.exists()) === true) left.push('work');
  if ((await findEntries(storage)).has(jobId)) left.push('entry');
  return left;
}

const remove = async (jobId: string) =>
  removeJob(storage, jobId, { records: true, listed: (await findEntries(storage)).get(jobId) });

const SPEC = parseSpec('{"input":{"video":"inbox/a.mp4"},"model":"starry-night"}');
const OUTPUT = `outbox/removed-${randomBytes(4).toString('hex')}.mp4`;
const PLANNED: PublishedStatus = { stages: [], plan: planBatches(24, 8, 1) };

describe.concurrent('a job that is over and whose records are gone', () => {
  /** An app that has nothing in its memory, with what it tells of such a job. */
  function newApp() {
    const jobId = `gone-${randomBytes(4).toString('hex')}`;
    const told = keepRecords();
    const ports = { storage, compute: notSetUp(), telemetry: tellTo([told]) };
    const finishJob = createFinishJob({ ...ports, tempFolder: os.tmpdir(), notices: NO_NOTICES });
    const complaints: string[] = [];
    const watch = createJobWatch({ ...ports, finishJob }, (said) => complaints.push(said));
    return { key: { jobId, acceptedAt: Date.now() }, told, complaints, watch, finishJob };
  }
  type App = ReturnType<typeof newApp>;

  const list = (key: EntryKey) =>
    enterJob(storage, { ...key, run: 1, input: 'inbox/a.mp4', model: 'starry-night', compute: 'local' });

  /** Lets the app look after it, as it does at the end of every job. */
  async function lookAfter(
    { key, watch, complaints }: App,
    runtimeStatus: OrchestrationRuntimeStatus,
    published?: PublishedStatus,
  ): Promise<void> {
    const { jobId } = key;
    const status: DurableOrchestrationStatus = {
      name: 'scoreJob',
      instanceId: jobId,
      runtimeStatus,
      createdTime: new Date(),
      lastUpdatedTime: new Date(),
      customStatus: published,
      input: { ...key, spec: SPEC },
      output: 'enough',
    };
    const client = { getStatus: () => Promise.resolve(status), raiseEvent: () => Promise.resolve() };
    const failure = { blame: 'platform', message: 'It goes on.' } as const;
    await watch.during({ jobId, activity: 'finishJob' }, client, () => Promise.resolve({ ok: false, failure }));
    await until('the last look', () => watch.waiting(jobId).length === 0 || undefined);
    expect(complaints).toEqual([]);
  }

  const { Completed, Failed, Terminated } = OrchestrationRuntimeStatus;
  test.each([
    ['is done', Completed, PLANNED, false],
    ['is done, and is in the list still', Completed, PLANNED, true],
    ['has failed', Failed, PLANNED, false],
    ['has failed before it was planned', Failed, undefined, false],
    ['was terminated', Terminated, PLANNED, false],
    ['was terminated, and is in the list still', Terminated, PLANNED, true],
  ])('stays as it is when it %s', async (_, state, published, isStillListed) => {
    const made = newApp();
    if (isStillListed) await list(made.key);
    await lookAfter(made, state, published);
    expect(await leftOf(made.key.jobId)).toEqual(isStillListed ? ['entry'] : []);
    expect(made.told.records).toEqual([]);
  });

  test('is told from one that was terminated before it had any: that gets its manifest', async () => {
    const made = newApp();
    await list(made.key);
    await lookAfter(made, Terminated);
    const manifest = await readManifest(storage, made.key.jobId);
    expect(manifest).toMatchObject({ outcome: 'cancelled', message: 'The job was terminated.' });
  });

  test('has no end written down anew by a delivery of its last step that comes late', async () => {
    const { key, finishJob, told } = newApp();
    const end = { outcome: 'done', blame: 'user', message: '', plan: PLANNED.plan } as const;
    expect(await finishJob({ ...key, ...end })).toMatchObject({ end: { reason: 'done' }, notify: [] });
    expect(await leftOf(key.jobId)).toEqual([]);
    expect(told.records).toEqual([]);
  });
});

describe('a job whose records are removed as soon as it is over', () => {
  const ids = { done: '', failed: '', cancelled: '' };
  const sentence = (id: string) =>
    new RegExp(
      `^Job "${id}" ended on \\d{4}-\\d\\d-\\d\\d, and its records have been removed since; .+ new job .+\\.$`,
    );
  const ask = async (method: string, id: string, route = '') => {
    const answer = await fetch(`${stack.url}/api/jobs/${id}${route}`, { method });
    return { status: answer.status, ...((await answer.json()) as object) };
  };

  const start = async (file = '', video?: string) => {
    const input = { video: await stack.client.upload('video', file) };
    return stack.client.start({ input, model: 'starry-night', output: { video } });
  };

  beforeAll(async () => {
    const [clip, broken] = ['clip.mp4', 'broken.mp4'].map((name) => path.join(stack.folder, name));
    makeClip(clip ?? '', { size: '64x48' });
    writeFileSync(broken ?? '', 'no video');
    [ids.done, ids.failed, ids.cancelled] = await Promise.all([start(clip), start(broken, OUTPUT), start(clip)]);
    await stack.client.cancel(ids.cancelled);
    const removeOnceOver = async (id: string) => {
      await stack.ended(id);
      await remove(id);
    };
    await Promise.all(Object.values(ids).map(removeOnceOver));
  });

  test.each([
    ['GET', ''],
    ['GET', '/batches'],
    ['GET', '/pictures?newest=1'],
    ['GET', '/files'],
    ['GET', '/files/output'],
    ['GET', '/files/manifest'],
    ['GET', '/frames'],
    ['GET', '/logs'],
    ['POST', '/redrive'],
  ])('answers 410 and says so to %s /api/jobs/{id}%s, however it ended', async (method, route) => {
    for (const id of Object.values(ids)) {
      const error: unknown = expect.stringMatching(sentence(id));
      expect(await ask(method, id, route)).toEqual({ status: 410, error });
    }
  });

  test('cannot be cancelled any more', async () => {
    for (const id of Object.values(ids))
      expect(await ask('DELETE', id)).toEqual({ status: 410, error: `Job "${id}" has ended already.` });
  });

  test.concurrent.each([
    'status',
    'watch',
    'logs',
    'logs --follow',
    'open --print',
    'frames --out frames',
    'redrive',
    'score --redrive',
  ])('is told of in one sentence by `%s`', async (command) => {
    const args = [...command.split(' '), ids.done, '--url', stack.url];
    const { code, stdout, stderr } = await runCli(args, { cwd: stack.folder });
    expect(stderr.trimEnd()).toMatch(sentence(ids.done));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('leaves the place of its output to others, also if it has failed before it wrote anything', async () => {
    const another = await start(path.join(stack.folder, 'clip.mp4'), OUTPUT);
    await stack.client.cancel(another);
    expect(await stack.ended(another)).toMatchObject({ state: 'cancelled' });
  });

  test('has nothing in storage again after all that', async () => {
    for (const id of Object.values(ids)) expect(await leftOf(id)).toEqual([]);
  });
});
