import { randomBytes } from 'node:crypto';
import { OrchestrationRuntimeStatus } from 'durable-functions';
import { beforeEach, describe, expect, inject, test } from 'vitest';
import type { Fault } from '../../../azure-emulator/src/faults.js';
import { createLaunchBatch } from '../../../src/activities/batches/launch-batch.js';
import { createObserveBatch } from '../../../src/activities/batches/observe-batch.js';
import type { Ports } from '../../../src/activities/ports.js';
import { createSettleBatch } from '../../../src/activities/batches/settle-batch.js';
import type { PublishedStatus, Stage } from '../../../src/job/progress.js';
import { parseSpec } from '../../../src/job/spec.js';
import { jobOf, progressBlob, RESOLVED_JOB, workOf } from '../../../src/job-store/layout.js';
import { writeJson } from '../../../src/storage/storage.js';
import { SILENT } from '../../../src/telemetry/telemetry.js';
import { openAzurite } from '../../support/storage.js';
import { writeSettled } from '../../../src/job-store/batches/settled.js';
import { noteWaiting } from '../../../src/job-store/batches/waiting.js';
import type { WaitingHere } from '../../../src/triggers/job-watch.js';
import { readJobStatus } from '../../../src/triggers/jobs/job-status.js';
import { aciCompute, FOREVER, notSetUp, useEmulator } from '../../support/aci.js';

const connection = inject('storage');
const storage = openAzurite(connection);
const azure = useEmulator({ command: [process.execPath, '-e', FOREVER] });
const BUSY: Fault = { on: 'GET', status: 503, code: 'ServerBusy', message: 'try later' };
/** Which batches wait, with what Azure has said. */
const waitsFor = (batches: string) => expect.stringMatching(`^${batches}: .*ServerBusy.*503.*try later`) as string;

let jobId = '';
let ports: Pick<Ports, 'storage' | 'compute' | 'telemetry'>;
const attemptOf = (batch: number, attempt = 1) => ({ jobId, batch, first: batch * 4, count: 4, attempt });
const look = (batch: number) => ({ ...attemptOf(batch), launchedAt: Date.now() });

const PLAN = { items: 20, size: 4, batches: 5, lanes: 5 };
const orchestrationIn = (runtimeStatus: OrchestrationRuntimeStatus) => ({
  runtimeStatus,
  output: null,
  createdTime: new Date(),
  lastUpdatedTime: new Date(),
});

/** What the job's status says of those that wait. */
async function waiting(seconds = 0, here: WaitingHere[] = []): Promise<string[]> {
  const published: PublishedStatus = { stages: [{ stage: 'score', startedAt: new Date().toISOString() }], plan: PLAN };
  const orchestration = orchestrationIn(OrchestrationRuntimeStatus.Running);
  return (await readJobStatus(storage, jobId, orchestration, published, { now: Date.now() + seconds * 1000, here }))
    .waiting;
}

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
  ports = {
    storage,
    telemetry: SILENT,
    compute: { ...notSetUp(), aci: aciCompute(azure.emulator.url) },
  };
});

describe('a batch whose platform does not answer waits, and the status says so,', () => {
  test('while its container cannot be looked at, until it can', async () => {
    const observe = createObserveBatch(ports);
    await createLaunchBatch(ports)(attemptOf(0));
    const report = { done: 1, failed: 0, skipped: 0, total: 4, lastItemAt: new Date().toISOString() };
    await writeJson(jobOf(storage, jobId), progressBlob(0, 1), report, { done: '1', skipped: '0', failed: '0' });
    azure.emulator.faults.add(BUSY);
    await expect(observe(look(0))).rejects.toMatchObject({ blame: 'platform' });
    expect(await waiting()).toEqual([waitsFor('Batch 0')]);
    expect((await observe({ ...look(0), again: true })).watchEnd).toBeUndefined();
    expect(await waiting()).toEqual([]);
  });

  test('while there is no room for its container, with the compute that it turns to and when', async () => {
    const turn = { compute: 'container-apps', at: Date.now() + 170_000 };
    azure.emulator.faults.add({ on: 'PUT', status: 409, code: 'InsufficientCapacity', message: 'Full.', times: 2 });
    const launch = createLaunchBatch(ports);
    await expect(launch({ ...attemptOf(0), turn })).rejects.toMatchObject({ noRoom: true });
    expect(await waiting()).toEqual([expect.stringMatching(/^Batch 0: .*Full\. \(tries container-apps in 3 min\)$/)]);
    await launch({ ...attemptOf(0), turn, waited: true });
    expect(await waiting()).toEqual([]);
  });

  test('while its container cannot be settled or removed', async () => {
    const settle = createSettleBatch(ports);
    azure.emulator.faults.add({ ...BUSY, times: 2 });
    await expect(settle({ ...look(0), watchEnd: 'unseen' })).rejects.toMatchObject({
      blame: 'platform',
    });
    await expect(createLaunchBatch(ports)(attemptOf(1, 2))).rejects.toMatchObject({ blame: 'platform' });
    expect(await waiting()).toEqual([waitsFor('Batches 0, 1')]);
    await createLaunchBatch(ports)(attemptOf(1, 2));
    expect(await waiting()).toEqual([waitsFor('Batch 0')]);
  });

  test('while its scorer says nothing for longer than it has announced', async () => {
    const report = (batch: number, phase: string, pause: string) =>
      writeJson(
        jobOf(storage, jobId),
        progressBlob(batch, 1),
        {},
        { done: '1', skipped: '0', failed: '0', phase, pause },
      );
    await Promise.all([
      report(0, 'scoring', '1'),
      report(1, 'ended', '1'),
      report(2, 'scoring', '2'),
      report(3, 'scoring', '10'),
    ]);
    expect(await waiting()).toEqual([]);
    expect(await waiting(20)).toEqual([expect.stringMatching(/^Batches 0, 2: .*not reported/)]);
    expect(await waiting(30)).toEqual([expect.stringMatching(/^Batches 0, 2, 3: .*not reported/)]);
  });

  test('once each, also when only this process could learn why', async () => {
    await noteWaiting(storage, { jobId, batch: 0, attempt: 0 }, 'No room.');
    const here = [{ batch: 0, reason: 'No room.' }, { batch: 1, reason: 'No room.' }, { reason: 'The disk is full.' }];
    expect(await waiting(0, here)).toEqual(['The disk is full.', 'Batches 0, 1: No room.']);
  });

  test('with the numbers of the first three batches only', async () => {
    const observe = createObserveBatch(ports);
    azure.emulator.faults.add({ ...BUSY, times: 5 });
    await Promise.allSettled([0, 1, 2, 3, 4].map((batch) => observe(look(batch))));
    expect(await waiting()).toEqual([waitsFor('Batches 0, 1, 2 and 2 more')]);
  });
});

test.each<Stage>(['score', 'stitch'])(
  'a job that was ended during %s has the rate and the container runs of what it did, not of what it was to do',
  async (stage) => {
    const observation = { state: 'succeeded' } as const;
    const settled = {
      batch: 0,
      attempt: 2,
      runs: 1,
      done: 3,
      failed: 1,
      message: '',
      observation,
      phases: [],
      unscored: [],
    };
    await writeSettled(storage, jobId, { ...settled, state: 'stopped' });
    const scoring = { stage: 'score', startedAt: new Date().toISOString(), seconds: 2 } as const;
    const published: PublishedStatus = {
      stages: stage === 'score' ? [scoring] : [scoring, { stage, startedAt: new Date().toISOString() }],
      plan: PLAN,
    };
    const orchestration = orchestrationIn(OrchestrationRuntimeStatus.Terminated);
    expect(await readJobStatus(storage, jobId, orchestration, published, { now: Date.now() })).toMatchObject({
      state: 'cancelled',
      itemsPerSecond: 1.5,
      attempts: 1,
    });
  },
);

test('a container that helped another one is a container run, and no retry', async () => {
  const observation = { state: 'succeeded' } as const;
  const counts = { done: 4, failed: 0, message: '', observation, phases: [], unscored: [] };
  const ran = { end: 'complete', message: '', watchEnd: 'ended' } as const;
  const helped = [
    { ...ran, attempt: 1 },
    { ...ran, attempt: 2, helps: 1 },
  ];
  await writeSettled(storage, jobId, { ...counts, batch: 0, attempt: 2, runs: 2, state: 'done', ends: helped });
  const again = [
    { ...ran, attempt: 1 },
    { ...ran, attempt: 2 },
    { ...ran, attempt: 3, helps: 2 },
  ];
  await writeSettled(storage, jobId, { ...counts, batch: 1, attempt: 3, runs: 3, state: 'done', ends: again });
  const goesOn = { ...counts, done: 2, batch: 2, attempt: 2, runs: 2, ends: helped };
  await writeSettled(storage, jobId, { ...goesOn, state: 'retrying' });
  const published: PublishedStatus = { stages: [{ stage: 'score', startedAt: new Date().toISOString() }], plan: PLAN };
  const orchestration = orchestrationIn(OrchestrationRuntimeStatus.Running);
  expect(await readJobStatus(storage, jobId, orchestration, published, { now: Date.now() })).toMatchObject({
    attempts: 7,
    retries: 2,
  });
});
