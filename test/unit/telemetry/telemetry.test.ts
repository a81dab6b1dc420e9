import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { startId } from '../../../src/telemetry/ids.js';
import type { Sink } from '../../../src/telemetry/records.js';
import { createTelemetry, SILENT, tellTo } from '../../../src/telemetry/telemetry.js';
import { keepRecords } from '../../support/records.js';

const place = { traceId: 'a'.repeat(32), parentId: 'b'.repeat(16) };
const job = { jobId: 'coast-k3v9q2xa', place };
const ended = { ...job, outcome: 'done', blame: 'user', message: '', items: 1, failedItems: 0, attempts: 1 } as const;

test('without a setting that says where to, nothing is told', () => {
  const unused = () => {
    throw new Error('Nothing is logged in to and nothing warned of.');
  };
  expect(createTelemetry({ file: undefined, insights: undefined }, { login: unused, warn: unused })).toBe(SILENT);
});

describe('what is told', () => {
  test('again, as an activity does that runs again, goes out once', () => {
    const sink = keepRecords();
    const telemetry = tellTo([sink]);
    telemetry.jobEnded({ ...ended, containerSeconds: 1 });
    telemetry.jobEnded({ ...ended, containerSeconds: 1 });
    telemetry.jobEnded({ ...ended, jobId: 'another', containerSeconds: 1 });
    expect(sink.records.map(({ dimensions }) => dimensions.job)).toEqual(['coast-k3v9q2xa', 'another']);
  });

  test('of another run of a job is something else', async () => {
    const sink = keepRecords();
    const telemetry = tellTo([sink]);
    for (const run of [1, 2]) {
      const of = { ...job, run };
      await telemetry.startJob({ ...of, input: 'video' }, () => Promise.resolve());
      telemetry.preflight({ ...of, verdict: { ok: false, blame: 'user', message: 'no' } });
      telemetry.cancelled({ ...of, by: 'request' });
      telemetry.jobEnded({ ...ended, run, containerSeconds: 1 });
    }
    const names = ['start scoreJob', 'job.started', 'preflight.done', 'job.cancelled', 'job.ended'];
    expect(sink.records.map(({ name }) => name)).toEqual([...names, ...names]);
    // The first run has the ids of earlier versions of the app.
    expect(sink.records[0]?.id).toBe(startId(job.jobId));
    expect(sink.records[6]).toMatchObject({ name: 'job.started', parentId: sink.records[5]?.id });
  });

  test('by a second process has the same id', () => {
    const sinks = [keepRecords(), keepRecords()];
    for (const sink of sinks) tellTo([sink]).jobEnded({ ...ended, containerSeconds: 1 });
    expect(sinks[0]?.records[0]?.id).toBe(sinks[1]?.records[0]?.id);
  });

  test('reaches every sink, even where one of them throws', () => {
    const sink = keepRecords();
    const broken: Sink = {
      report: () => {
        throw new Error('no');
      },
      flush: () => Promise.reject(new Error('no')),
    };
    const telemetry = tellTo([broken, sink]);
    telemetry.cancelled({ ...job, by: 'request' });
    expect(sink.records).toHaveLength(1);
    return expect(telemetry.flush()).resolves.toBeUndefined();
  });
});

describe('the start of a job', () => {
  const facts = { ...job, input: 'video' } as const;

  test('happens below an active span, which the durable client hands on', async () => {
    const { context, propagation } = await import('@opentelemetry/api');
    const sink = keepRecords();
    const headers: { traceparent?: string } = {};
    await tellTo([sink]).startJob(facts, async () => {
      await Promise.resolve();
      propagation.inject(context.active(), headers);
    });
    const span = sink.records.find(({ type }) => type === 'span');
    expect(headers.traceparent).toBe(`00-${place.traceId}-${span?.id}-01`);
    expect(sink.records.map(({ name }) => name)).toEqual(['start scoreJob', 'job.started']);
  });

  test('is handed on, because the durable client and the app share the one copy of the OpenTelemetry API', () => {
    const lock = readFileSync(new URL('../../../package-lock.json', import.meta.url), 'utf8');
    const { packages } = JSON.parse(lock) as { packages: Record<string, unknown> };
    expect(Object.keys(packages).filter((name) => name.endsWith('/@opentelemetry/api'))).toHaveLength(1);
    const own = createRequire(import.meta.url);
    const client = createRequire(own.resolve('durable-functions'));
    expect(client.resolve('@opentelemetry/api')).toBe(own.resolve('@opentelemetry/api'));
  });

  test('that fails is told as a failed call, and not as a job', async () => {
    const sink = keepRecords();
    const start = () => tellTo([sink]).startJob(facts, () => Promise.reject(new Error('the host is away')));
    await expect(start()).rejects.toThrow('the host is away');
    expect(sink.records).toMatchObject([{ name: 'start scoreJob', ok: false }]);
  });

  test('happens without telemetry, too', async () => {
    expect(await SILENT.startJob(facts, () => Promise.resolve(7))).toBe(7);
  });
});
