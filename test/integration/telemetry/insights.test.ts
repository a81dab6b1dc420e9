import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readInsightsSettings } from '../../../src/telemetry/insights-settings.js';
import type { Sink, Span, TelemetryEvent } from '../../../src/telemetry/records.js';
import { type Ingestion, INSTRUMENTATION_KEY, startIngestion } from '../../support/ingestion.js';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const BUNDLE = path.join(ROOT, 'dist/telemetry/application-insights.js');
const PACKAGE = path.join(ROOT, 'node_modules/applicationinsights/out/Library/TelemetryClient.js');

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const span: Span = {
  type: 'span',
  traceId: TRACE,
  id: 'aaaaaaaaaaaaaaaa',
  parentId: 'b7ad6b7169203331',
  name: 'attempt',
  role: 'scorer',
  kind: 'consumer',
  start: '2026-11-26T10:00:00.123Z',
  end: '2026-11-27T11:01:02.456Z',
  ok: true,
  dimensions: { job: 'job-1', batch: '3', attempt: '1' },
};
const event: TelemetryEvent = {
  type: 'event',
  traceId: TRACE,
  id: 'cccccccccccccccc',
  parentId: 'aaaaaaaaaaaaaaaa',
  name: 'attempt.ended',
  role: 'app',
  time: '2026-11-26T10:00:00.123Z',
  dimensions: { job: 'job-1', outcome: 'complete' },
  measurements: { items: 68, inferSeconds: 1.25 },
};

/** Fills in the same envelopes with the bundle and then with the whole package. */
const PROGRAM = `
  import module from 'node:module';
  const shared = () => [console.log, console.warn, module.prototype.require, process.emit];
  const before = shared();
  const stayed = process.getActiveResourcesInfo();
  const fillIn = async (file) => {
    const loaded = await import(file);
    const Client = loaded.TelemetryClient ?? loaded.default;
    const client = new Client('InstrumentationKey=${INSTRUMENTATION_KEY};IngestionEndpoint=http://127.0.0.1:9');
    client.config.samplingPercentage = 100;
    client.context.tags['ai.application.ver'] = '1';
    const envelopes = [];
    client.addTelemetryProcessor((envelope) => { envelopes.push(envelope); return false; });
    const tagOverrides = { 'ai.cloud.role': 'r', 'ai.operation.id': 'o', 'ai.operation.parentId': 'p' };
    const times = { time: new Date(1e12), duration: 90061001.5, success: false, resultCode: 'platform' };
    const properties = { job: 'j', long: 'x'.repeat(9000) };
    client.trackRequest({ id: 'a', name: 'n'.repeat(1100), url: '', ...times, properties, tagOverrides });
    client.trackDependency({ id: 'b', name: 'n', data: '', dependencyTypeName: 'InProc', ...times, properties, tagOverrides });
    client.trackEvent({ name: 'e', time: new Date(1e12), properties, measurements: { items: 1, seconds: 1.25 }, tagOverrides });
    return [...envelopes, client.config.endpointUrl].map((one) => JSON.parse(JSON.stringify(one).replaceAll(/x{500,}/g, ({ length }) => length)));
  };
  const ours = await fillIn(${JSON.stringify(BUNDLE)});
  const after = shared();
  const stays = process.getActiveResourcesInfo().filter((name) => !stayed.includes(name) && !name.endsWith('Req'));
  for (const name of Object.keys(process.env)) if (name.startsWith('APPLICATION')) delete process.env[name];
  Object.assign(process.env, { APPLICATION_INSIGHTS_NO_DIAGNOSTIC_CHANNEL: '1', APPLICATION_INSIGHTS_NO_STATSBEAT: '1' });
  const theirs = await fillIn(${JSON.stringify(PACKAGE)});
  console.log(JSON.stringify({ ours, theirs, isAsBefore: before.every((one, index) => one === after[index]), stays }));`;

const { createInsightsSink } = await import('../../../dist/telemetry/insights.js');

let ingestion: Ingestion;
let sink: Sink;
beforeEach(async () => {
  ingestion = await startIngestion();
  const settings = readInsightsSettings({ APPLICATIONINSIGHTS_CONNECTION_STRING: ingestion.connectionString });
  if (settings === undefined) throw new Error('There is a connection string.');
  const unexpected = (what: unknown) => {
    throw new Error(`Unexpected: ${String(what)}`);
  };
  sink = createInsightsSink(settings, { login: unexpected, warn: unexpected });
});
afterEach(() => ingestion.stop());

const envelopesOf = async (...records: (Span | TelemetryEvent)[]) => {
  sink.report(records);
  await sink.flush();
  return ingestion.accepted;
};

describe('Application Insights is told', () => {
  test.each(['server', 'consumer'] as const)('of a request: %s', async (kind) => {
    const [envelope] = await envelopesOf({ ...span, kind });
    expect(envelope).toMatchObject({
      name: `Microsoft.ApplicationInsights.${INSTRUMENTATION_KEY.replaceAll('-', '')}.Request`,
      iKey: INSTRUMENTATION_KEY,
      time: '2026-11-26T10:00:00.123Z',
      sampleRate: 100,
      tags: {
        'ai.cloud.role': 'durable-batch-scoring-scorer',
        'ai.operation.id': TRACE,
        'ai.operation.parentId': 'b7ad6b7169203331',
        'ai.operation.name': 'attempt',
      },
      data: {
        baseType: 'RequestData',
        baseData: {
          id: 'aaaaaaaaaaaaaaaa',
          name: 'attempt',
          duration: '1.01:01:02.333',
          success: true,
          responseCode: '0',
          properties: { job: 'job-1', batch: '3', attempt: '1' },
        },
      },
    });
  });

  test.each([
    ['client', 'Dependency'],
    ['internal', 'InProc'],
  ] as const)('of a dependency: %s', async (kind, type) => {
    const dimensions = { job: 'job-1', blame: 'platform' };
    const [envelope] = await envelopesOf({ ...span, kind, role: 'app', ok: false, parentId: undefined, dimensions });
    expect(envelope).toMatchObject({
      time: '2026-11-26T10:00:00.123Z',
      tags: { 'ai.cloud.role': 'durable-batch-scoring', 'ai.operation.id': TRACE },
      data: {
        baseType: 'RemoteDependencyData',
        baseData: {
          id: 'aaaaaaaaaaaaaaaa',
          name: 'attempt',
          type,
          duration: '1.01:01:02.333',
          success: false,
          resultCode: 'platform',
          properties: dimensions,
        },
      },
    });
    expect(envelope?.tags).not.toHaveProperty(['ai.operation.parentId']);
  });

  test('of an event, with its numbers, and its id among the dimensions', async () => {
    const [envelope] = await envelopesOf(event);
    expect(envelope).toMatchObject({
      time: '2026-11-26T10:00:00.123Z',
      tags: { 'ai.operation.id': TRACE, 'ai.operation.parentId': 'aaaaaaaaaaaaaaaa' },
      data: {
        baseType: 'EventData',
        baseData: {
          name: 'attempt.ended',
          properties: { job: 'job-1', outcome: 'complete', id: 'cccccccccccccccc' },
          measurements: { items: 68, inferSeconds: 1.25 },
        },
      },
    });
  });

  test('of everything once, in the order of importance', async () => {
    const steps = Array.from({ length: 5 }, (_, index): Span => ({ ...span, kind: 'internal', id: `s${index}` }));
    const accepted = await envelopesOf(...steps, span, event);
    expect(accepted.map(({ data: { baseData } }) => baseData.id ?? baseData.properties.id)).toEqual([
      event.id,
      span.id,
      's0',
      's1',
      's2',
      's3',
      's4',
    ]);
  });
});

describe('of the package only the part that fills in envelopes is left', () => {
  // In a process of its own, which the package may change as it likes.
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
    encoding: 'utf8',
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      APPLICATIONINSIGHTS_CONFIGURATION_CONTENT: '{"samplingPercentage": 1, "endpointUrl": "http://a.example", wrong',
      APPLICATIONINSIGHTS_CONNECTION_STRING: 'InstrumentationKey=99999999-2222-3333-4444-555555555555',
      APPLICATION_INSIGHTS_ENABLE_DEBUG_LOGS: '1',
    },
  });
  const [first = '', ...others] = stdout.trim().split('\n');

  test('and it fills them in as the whole package does', () => {
    const { ours, theirs } = JSON.parse(first) as Record<'ours' | 'theirs', unknown[]>;
    expect(ours).toHaveLength(4);
    expect(ours).toEqual(theirs);
  });

  test('and it changes nothing in the process, starts nothing and prints nothing', () => {
    expect(JSON.parse(first)).toMatchObject({ isAsBefore: true, stays: [] });
    expect({ stderr, others }).toEqual({ stderr: '', others: [] });
  });
});
