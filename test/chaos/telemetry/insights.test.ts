import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createJobClient, type JobClient } from '../../../src/cli/client/client.js';
import type { TelemetryRecord } from '../../../src/telemetry/records.js';
import { makeClip } from '../../support/clip.js';
import { type Envelope, type Ingestion, type ReplyName, startIngestion } from '../../support/ingestion.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';
import { until } from '../../support/wait.js';

const { startStack } = await import('../../../dist/stack/stack.js');
type Stack = Awaited<ReturnType<typeof startStack>>;

const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-insights-'));
const told = path.join(folder, 'told.jsonl');
const FRAMES = 8;

let ingestion: Ingestion;
let stack: Stack;
let client: JobClient;
let video = '';
let model = '';
let id = '';

async function start(): Promise<void> {
  const env = {
    ...process.env,
    APPLICATIONINSIGHTS_CONNECTION_STRING: ingestion.connectionString,
    TELEMETRY_FILE: told,
  };
  stack = await startStack({ folder: path.join(folder, 'data'), emulateAzure: true, env });
  client = createJobClient(stack.url, undefined);
}

beforeAll(async () => {
  ingestion = await startIngestion();
  const clip = makeClip(path.join(folder, 'clip.mp4'), { size: '64x48', rate: '8', seconds: FRAMES / 8, sound: false });
  writeFileSync(path.join(folder, 'quick.onnx'), tinyModel({ operator: 'Relu', shape: [1, 3, 'height', 'width'] }));
  await start();
  video = await client.upload('video', clip);
  model = await client.upload('model', path.join(folder, 'quick.onnx'));
});
afterAll(async () => {
  await stack.stop();
  await ingestion.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A whole job of one batch. */
async function run(kind: string): Promise<string> {
  const batch = { size: FRAMES };
  const started = await client.start({ input: { video }, model, batch, compute: { kind } });
  const ended = async () => {
    const status = await client.status(started);
    return status.state === 'running' || status.state === 'queued' ? undefined : status;
  };
  expect(await until(`the end of ${started}`, ended, 100)).toMatchObject({ state: 'done' });
  return started;
}

const idOf = ({ data: { baseData } }: Envelope) => baseData.id ?? baseData.properties.id ?? '';
const idsTold = () =>
  readFileSync(told, 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as TelemetryRecord).id);

describe('a job is done whatever Application Insights does', () => {
  const lost: [ReplyName | 'down', string][] = [
    ['down', 'local'],
    ['429 with Retry-After', 'aci'],
    ['500', 'container-apps'],
    ['206 with one to send again', 'local'],
  ];
  test.each(lost)('%s (%s)', async (name, kind) => {
    if (name === 'down') await ingestion.down();
    else ingestion.reply(name);
    id = await run(kind);
    if (name === 'down') await ingestion.up();
  });

  test('and when the process ends, all that was told has arrived, once', async () => {
    ingestion.reply('ok');
    await stack.stop();
    expect(ingestion.accepted.map(idOf).toSorted()).toEqual(idsTold().toSorted());
    const ofLast = ingestion.accepted.filter(({ data }) => data.baseData.properties.job === id);
    const names = ofLast.map(({ data }) => data.baseData.name);
    expect(names).toEqual(expect.arrayContaining(['start scoreJob', 'job.started', 'attempt', 'stored', 'job.ended']));
    expect(names.filter((name) => name === 'attempt')).toHaveLength(1);
    expect(new Set(ofLast.map(({ tags }) => tags['ai.operation.id'])).size).toBe(1);
  });

  test('after ten seconds, and never; and its process ends in time', async () => {
    await start();
    ingestion.reply('after ten seconds');
    await run('local');
    ingestion.reply('never');
    await run('local');
    const began = performance.now();
    await stack.stop();
    expect((performance.now() - began) / 1000).toBeLessThan(7);
  });
});
