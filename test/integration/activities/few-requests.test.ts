import { randomBytes } from 'node:crypto';
import diagnostics from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { OrchestrationRuntimeStatus } from 'durable-functions';
import { expect, inject, test } from 'vitest';
import { createLaunchBatch } from '../../../src/activities/batches/launch-batch.js';
import { createObserveBatch } from '../../../src/activities/batches/observe-batch.js';
import { createSettleBatch } from '../../../src/activities/batches/settle-batch.js';
import type { JobStatus } from '../../../src/api/jobs.js';
import type { Stage } from '../../../src/job/progress.js';
import { createStageProgress } from '../../../src/job-store/stage-progress.js';
import { readJobStatus } from '../../../src/triggers/jobs/job-status.js';
import { reportJob } from '../../../src/activities/report-job.js';
import { progressMetadata } from '../../../src/container-contract/progress.js';
import { parseSpec } from '../../../src/job/spec.js';
import {
  jobOf,
  logBlob,
  modelBlob,
  modelsOf,
  progressBlob,
  RESOLVED_JOB,
  resultBlob,
  workOf,
} from '../../../src/job-store/layout.js';
import { readResolvedJob } from '../../../src/job-store/resolved-job.js';
import { writeJson } from '../../../src/storage/storage.js';
import { SILENT } from '../../../src/telemetry/telemetry.js';
import { notSetUp } from '../../support/aci.js';
import { openAzurite } from '../../support/storage.js';

const storage = openAzurite(inject('storage'));
const jobId = `few-${randomBytes(4).toString('hex')}`;
const at = new Date().toISOString();
const BATCHES = 3;

/** What is asked of storage for the job meanwhile. */
async function asked(work: () => Promise<unknown>): Promise<string[]> {
  const requests: string[] = [];
  const count = (message: unknown) => {
    const { method, path } = (message as { request: ClientRequest }).request;
    const { pathname, searchParams } = new URL(path, 'http://storage');
    const prefix = searchParams.get('prefix');
    const name = prefix === null ? pathname.split('/').slice(3).join('/') : `list ${prefix}`;
    const what = [method, name, searchParams.get('comp') === 'lease' ? 'lease' : ''].filter(Boolean).join(' ');
    if (path.includes(jobId)) requests.push(what);
  };
  diagnostics.subscribe('http.client.request.start', count);
  await work();
  diagnostics.unsubscribe('http.client.request.start', count);
  return requests;
}

test('a batch that goes well asks little of storage', async () => {
  await Promise.all([jobOf(storage, jobId).create(), workOf(storage, jobId).create()]);
  await modelsOf(storage).createIfNotExists();
  await modelsOf(storage).getBlockBlobClient(modelBlob('few')).upload('-', 1);
  const spec = parseSpec('{"input":{"video":"inbox/a.mp4"},"model":"few"}');
  const job = { jobId, spec, card: { output: { kind: 'classes' } }, video: {}, parallel: 4, pack: 1, createdAt: at };
  await writeJson(jobOf(storage, jobId), RESOLVED_JOB, job);
  await readResolvedJob(storage, jobId, 1);
  const local = {
    ...notSetUp().local,
    endsWithApp: true as const,
    launch: () => Promise.resolve(),
    observe: () => Promise.resolve({ state: 'succeeded' as const, exitCode: 0, endedAt: at }),
    logs: () => Promise.resolve([]),
    remove: () => Promise.resolve(),
  };
  const ports = { storage, compute: { ...notSetUp(), local }, telemetry: SILENT };
  const [launch, observe, settle] = [createLaunchBatch(ports), createObserveBatch(ports), createSettleBatch(ports)];
  let launched: string[] = [];
  let watched: string[] = [];
  let settled: string[] = [];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const input = { jobId, batch, first: batch, count: 1, attempt: 1 };
    launched = await asked(() => launch(input));
    // What the scorer stores.
    const counts = { batch, attempt: 1, total: 1, done: 1, skipped: 0, failed: 0, phase: 'ended' as const };
    const progress = { ...counts, startedAt: at, lastItemAt: at, updatedAt: at, times: {}, failedItems: [] };
    const name = String(batch).padStart(7, '0');
    const container = jobOf(storage, jobId);
    await writeJson(container, progressBlob(batch, 1), progress, progressMetadata(progress));
    await workOf(storage, jobId).getBlockBlobClient(`scored/${name}.json`).upload('{}', 2);
    const result = { jobId, batch, attempt: 1, outcome: 'completed', done: [name], skipped: [], failed: [] };
    const said = { timings: {}, times: {}, device: 'cpu', startedAt: at, endedAt: at };
    await writeJson(container, resultBlob(batch, 1), { ...result, ...said });
    await container.getBlockBlobClient(logBlob(batch, 1)).upload('', 0);
    const run = { ...input, launchedAt: Date.now() };
    watched = await asked(() => observe({ ...run, batches: BATCHES }));
    settled = await asked(() => settle({ ...run, watchEnd: 'ended' }));
  }
  const plan = { items: BATCHES, size: 1, batches: BATCHES, lanes: 1 };
  const found = await readResolvedJob(storage, jobId, 1);
  const reported = await asked(() => reportJob(storage, found, plan, { isDelivered: false }));
  const last = `b0000${BATCHES - 1}`;
  expect(launched).toEqual([`PUT tasks/${last}-a1.json`]);
  expect(watched).toEqual([]);
  expect(settled.toSorted()).toEqual([
    `GET list scored/000000`,
    `GET logs/${last}-a1.jsonl`,
    `GET now/settled/${last}.json`,
    `GET results/${last}-a1.json`,
    `PUT logs/${last}-a1.jsonl`,
    `PUT now/settled/${last}.json`,
  ]);
  // All that was scored is listed once; besides, the records of each batch are read.
  expect(reported.filter((request) => request.includes('list'))).toEqual(['GET list scored/']);
  expect(reported).toHaveLength(1 + 2 * BATCHES + 1);
});

test('looks at a job ask storage for little where nothing but a count of this process changes', async () => {
  const now = Date.now();
  const orchestration = {
    runtimeStatus: OrchestrationRuntimeStatus.Running,
    output: null,
    createdTime: new Date(now),
    lastUpdatedTime: new Date(now),
  };
  const look = async (stage: Stage) => {
    const published = { stages: [{ stage, startedAt: new Date(now).toISOString() }], warnings: [], items: 300 };
    let status: JobStatus | undefined;
    const requests = await asked(async () => {
      status = await readJobStatus(storage, jobId, orchestration, published, { now });
    });
    return { requests, done: status?.items.done };
  };
  expect((await look('prepare')).requests).toEqual([]);
  const progress = createStageProgress(storage, jobId, 'split');
  expect(await look('split')).toEqual({ requests: ['GET list now/'], done: 0 });
  const stored = await asked(() => {
    progress.report(100);
    return progress.settled();
  });
  expect(stored).toEqual(['PUT now/stages/split-0.json']);
  expect(await look('split')).toEqual({ requests: [], done: 100 });
  progress.report(200);
  expect(await look('split')).toEqual({ requests: [], done: 200 });
  expect((await look('stitch')).requests).toEqual(['GET list now/']);
  expect((await look('finish')).requests).toEqual([]);
  expect((await look('score')).requests).toEqual(['GET list now/']);
});
