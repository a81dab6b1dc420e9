import { randomBytes } from 'node:crypto';
import os from 'node:os';
import { beforeEach, describe, expect, inject, test } from 'vitest';
import { createGiveUpBatch } from '../../../src/activities/batches/give-up-batch.js';
import { createFinishJob } from '../../../src/activities/finish-job.js';
import { createLaunchBatch } from '../../../src/activities/batches/launch-batch.js';
import { createObserveBatch } from '../../../src/activities/batches/observe-batch.js';
import { createSettleBatch } from '../../../src/activities/batches/settle-batch.js';
import { containerName, jobOf, progressBlob, RESOLVED_JOB, workOf } from '../../../src/job-store/layout.js';
import { listSettled, readSettled } from '../../../src/job-store/batches/settled.js';
import { cancelJob, stopJob } from '../../../src/job-store/stop.js';
import { parseSpec } from '../../../src/job/spec.js';
import { writeTraceParent } from '../../../src/job/trace.js';
import { writeJson } from '../../../src/storage/storage.js';
import type { Span, TelemetryEvent } from '../../../src/telemetry/records.js';
import { tellTo } from '../../../src/telemetry/telemetry.js';
import { aciCompute, FOREVER, notSetUp, useEmulator } from '../../support/aci.js';
import { NO_NOTICES } from '../../support/no-notices.js';
import { keepRecords } from '../../support/records.js';
import { openAzurite } from '../../support/storage.js';

const storage = openAzurite(inject('storage'));
const azure = useEmulator({ command: [process.execPath, '-e', FOREVER] });
const TRACE = 'a'.repeat(32);
const called = (span: string) => ({ traceContext: { traceParent: `00-${TRACE}-${span}-01` } });

let jobId = '';
const attempt = () => ({ jobId, batch: 0, first: 0, count: 4, attempt: 1 });
const settled = () => ({ ...attempt(), launchedAt: Date.now() - 5000, watchEnd: 'stalled' as const });

/** The activities of a host that has just started. */
function newHost() {
  const told = keepRecords();
  const ports = { storage, compute: { ...notSetUp(), aci: aciCompute(azure.emulator.url) }, telemetry: tellTo([told]) };
  return {
    told,
    launch: createLaunchBatch(ports),
    observe: createObserveBatch(ports),
    settle: createSettleBatch(ports),
    giveUp: createGiveUpBatch(ports),
    finish: createFinishJob({ ...ports, tempFolder: os.tmpdir(), notices: NO_NOTICES }),
    remove: (number = 1) => ports.compute.aci.remove(containerName(jobId, 0, number)),
  };
}

beforeEach(async () => {
  jobId = `coast-${randomBytes(4).toString('hex')}`;
  await Promise.all([jobOf(storage, jobId).create(), workOf(storage, jobId).create()]);
  const spec = parseSpec('{"input":{"video":"inbox/a.mp4"},"model":"starry-night","compute":{"kind":"aci"}}');
  const trace = { traceId: TRACE, parentId: '1'.repeat(16) };
  const record = {
    jobId,
    spec,
    card: { output: {} },
    video: {},
    output: `outbox/${jobId}.mp4`,
    parallel: 1,
    pack: 1,
    trace,
  };
  await writeJson(jobOf(storage, jobId), RESOLVED_JOB, record);
});

describe('an attempt', () => {
  test('that is settled twice is told once, and by another process under the same ids and times', async () => {
    const host = newHost();
    await host.launch(attempt(), called('2'.repeat(16)));
    const input = settled();
    await host.settle(input, called('3'.repeat(16)));
    await host.settle(input, called('3'.repeat(16)));
    const [span, ...others] = host.told.records;
    expect(span).toMatchObject({ name: 'attempt', traceId: TRACE, parentId: '3'.repeat(16), ok: false });
    const event = others.find((record): record is TelemetryEvent => record.type === 'event');
    expect(event).toMatchObject({
      name: 'attempt.ended',
      dimensions: { job: jobId, compute: 'aci', region: 'westeurope', outcome: 'failed', watchEnd: 'stalled' },
      measurements: { items: 0, cpus: 2, gpus: 0 },
    });
    expect(new Set(host.told.records.map(({ id }) => id)).size).toBe(host.told.records.length);
    expect(await listSettled(storage, jobId)).toMatchObject([{ attempt: 1, runs: 1 }]);

    const second = newHost();
    await second.settle(input, called('3'.repeat(16)));
    expect(second.told.records).toEqual(host.told.records);
    expect(Date.parse((span as Span).end) - input.launchedAt).toBeGreaterThanOrEqual(5000);
  });

  test('of a job whose trace the host has lost stays in the trace of the job', async () => {
    const host = newHost();
    await host.launch(attempt());
    await host.settle(settled(), { traceContext: { traceParent: `00-${'b'.repeat(32)}-${'3'.repeat(16)}-01` } });
    expect(new Set(host.told.records.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
    expect(host.told.records[0]?.parentId).toBe('1'.repeat(16));
  });

  test('that launched nothing, because the job was stopped, is neither told nor counted', async () => {
    const host = newHost();
    await stopJob(storage, jobId, { reason: 'cancelled', blame: 'user', message: 'Enough.' });
    expect(await host.launch(attempt())).toMatchObject({ stopped: true });
    await host.settle({ ...settled(), watchEnd: 'stopped' });
    expect(host.told.records).toEqual([]);
    expect(await listSettled(storage, jobId)).toMatchObject([{ attempt: 1, runs: 0 }]);
    const plan = { items: 4, batches: 1, lanes: 1, size: 4 };
    const end = { outcome: 'cancelled', blame: 'user', message: 'Enough.' } as const;
    expect(await host.finish({ jobId, ...end, plan })).toMatchObject({ attempts: 0 });
    expect(host.told.records).toMatchObject([{ name: 'job.ended', measurements: { attempts: 0 } }]);
  });

  test('that runs when its job has lost too much goes on where the job says so, until somebody cancels', async () => {
    const host = newHost();
    await host.launch(attempt());
    const look = async () => (await host.observe({ ...attempt(), launchedAt: Date.now() })).watchEnd;
    const stop = { reason: 'failed', blame: 'user', message: 'Too many.', exceeded: true, running: 'finish' } as const;
    await stopJob(storage, jobId, stop);
    expect(await look()).toBeUndefined();
    expect(await host.launch({ ...attempt(), attempt: 2 })).toMatchObject({ stopped: true });
    await cancelJob(storage, jobId, 'Enough.');
    expect(await look()).toBe('stopped');
    await host.remove();
  });

  test('whose container was gone before anybody saw it is told', async () => {
    const host = newHost();
    await host.launch(attempt());
    await host.remove();
    await host.settle({ ...settled(), watchEnd: 'ended' });
    expect(host.told.records.map(({ name }) => name)).toEqual(['attempt', 'attempt.ended']);
    expect(host.told.records[1]).toMatchObject({ measurements: { containerSeconds: 0 } });
  });

  test('that is lost takes no longer than its scorer was heard of, however late that is found out', async () => {
    const host = newHost();
    await host.launch(attempt());
    await host.remove();
    const launchedAt = Date.now() - 8 * 3600_000;
    const at = (seconds: number) => new Date(launchedAt + seconds * 1000).toISOString();
    const split = { start: 1000, model: 0, storage: 0, pictures: 0, inference: 3000, other: 0 };
    const report = {
      startedAt: at(1),
      updatedAt: at(5),
      times: {},
      failedItems: [],
      done: 1,
      skipped: 0,
      failed: 0,
      split,
    };
    await writeJson(jobOf(storage, jobId), progressBlob(0, 1), report);
    await host.settle({ ...settled(), launchedAt, watchEnd: 'ended' });
    const [phases] = (await readSettled(storage, jobId, 0))?.phases ?? [];
    expect(phases).toMatchObject({ endedAt: at(5), split: { start: 2, inference: 3 } });
    expect(phases?.split?.unknown).toBeUndefined();
  });

  test('that was never settled is told, and counted, when its batch is given up', async () => {
    const host = newHost();
    await host.launch(attempt());
    await host.settle(settled());
    const second = { ...attempt(), attempt: 2 };
    await host.launch(second);
    azure.emulator.faults.add({ on: 'DELETE', status: 503, code: 'ServerBusy' });
    await expect(host.settle({ ...settled(), ...second })).rejects.toMatchObject({ blame: 'platform' });
    const before = host.told.records.length;
    await host.giveUp({ ...second, message: 'Azure was away for too long.' });
    const [span, ...others] = host.told.records.slice(before);
    expect(span).toMatchObject({ name: 'attempt', dimensions: { attempt: '2', watchEnd: 'given-up' } });
    expect(others.some(({ name }) => name === 'attempt.ended')).toBe(true);
    expect(await listSettled(storage, jobId)).toMatchObject([{ attempt: 2, runs: 2, state: 'failed' }]);
    const { phases } = (await readSettled(storage, jobId, 0)) ?? {};
    expect(phases?.map((each) => each.attempt)).toEqual([1, 2]);
    await host.remove(2);
  });

  test('that was settled is not told again when its batch is given up', async () => {
    const host = newHost();
    await host.launch(attempt());
    await host.settle(settled());
    const second = newHost();
    await second.giveUp({ ...attempt(), message: 'Enough.' });
    expect(second.told.records).toEqual([]);
  });
});

test('a job that is refused in another trace than its own is told in its own', async () => {
  const host = newHost();
  await jobOf(storage, jobId).getBlobClient(RESOLVED_JOB).delete();
  const started = { traceId: TRACE, parentId: '4'.repeat(16) };
  const traceParent = writeTraceParent(started.traceId, started.parentId);
  const elsewhere = { traceContext: { traceParent: `00-${'b'.repeat(32)}-${'3'.repeat(16)}-01` } };
  await host.finish({ jobId, outcome: 'failed', blame: 'user', message: 'No such model.', traceParent }, elsewhere);
  expect(host.told.records).toMatchObject([{ name: 'job.ended', ...started }]);
});
