import { readFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import type { AttemptResult } from '../../../src/container-contract/result.js';
import { jobContainer, LIMITS, MANIFEST, PLACES_BLOB, resultBlob, settledBlob } from '../../../src/job-store/layout.js';
import type { Manifest } from '../../../src/job-store/manifest.js';
import type { Settled } from '../../../src/job-store/batches/settled.js';
import { PHASES } from '../../../src/job/attempts/phases.js';
import { readText } from '../../../src/storage/storage.js';
import type { Span, TelemetryEvent, TelemetryRecord } from '../../../src/telemetry/records.js';
import { checkManifest } from '../../support/manifest.js';
import { type EmulatedCompute, useEmulatedJobs } from '../../support/emulated-jobs.js';
import { killHalfWay } from '../../support/killed-scorer.js';
import { processesWith } from '../../support/processes.js';
import { filesIn, historyOf, type Left, recordsOf, secretsIn } from '../../support/secrets.js';
import { SPANS, TOLD } from '../../support/stack.js';
import { until } from '../../support/wait.js';

const jobs = useEmulatedJobs({ telemetry: true, compared: false });
const { stack } = jobs;
const BATCH = 8;
/** Milliseconds by which a time may differ from the one of the record that it was taken from. */
const CLOSE = 50;

const read = async <T>(id: string, blob: string): Promise<T> => {
  const container = stack.storage.getContainerClient(jobContainer(id));
  return JSON.parse((await container.getBlobClient(blob).downloadToBuffer()).toString()) as T;
};

const linesOf = (file: string) =>
  readFileSync(path.join(stack.folder, file), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as TelemetryRecord);

const isSpan = (record: TelemetryRecord): record is Span => record.type === 'span';
const isEvent = (record: TelemetryRecord): record is TelemetryEvent => record.type === 'event';
const key = ({ dimensions: { batch, attempt } }: TelemetryRecord) => `${batch}.${attempt}`;
const differ = (one: string | undefined, other: string | undefined) =>
  Math.abs(Date.parse(one ?? '') - Date.parse(other ?? ''));

const pixel = () =>
  sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
    .png()
    .toBuffer();

const KINDS: (EmulatedCompute | 'local')[] = ['local', 'aci', 'container-apps'];

describe('a job', () => {
  const ids: Record<string, string> = {};
  /** Everything that somebody may read. */
  const left: Left[] = [];
  const manifests: Record<string, Manifest> = {};
  /** Of the attempts that were not killed. */
  const records: Record<string, Map<string, { result: AttemptResult; settled: Settled }>> = {};

  const run = async (kind: EmulatedCompute | 'local') => {
    const id = await jobs.start(kind);
    ids[kind] = id;
    if (kind === 'local') await killHalfWay(stack, id, { batch: 0, size: BATCH });
    else await jobs.strike(id, 'end', 1);
    expect(await stack.ended(id)).toMatchObject({ state: 'done', attempts: 3 });
    manifests[kind] = checkManifest(JSON.stringify(await read<Manifest>(id, MANIFEST)));
    const attempts = [
      [0, 2],
      [1, 1],
    ] as const;
    const reads = attempts.map(async ([batch, attempt]) => {
      const result = await read<AttemptResult>(id, resultBlob(batch, attempt));
      return [`${batch}.${attempt}`, { result, settled: await read<Settled>(id, settledBlob(batch)) }] as const;
    });
    records[kind] = new Map(await Promise.all(reads));
  };
  for (const kind of KINDS) beforeAll(() => run(kind));

  /** Names as `wget` gives them to what it has fetched with a signature, and a key for the functions. */
  const hostile = async () => {
    const folder = `inbox/hostile-${ids.local}/`;
    const inbox = stack.storage.getContainerClient('inbox');
    const put = (name: string, bytes: Buffer) =>
      inbox.getBlockBlobClient(`${folder.slice('inbox/'.length)}${name}`).uploadData(bytes);
    await put('good.png?sv=2026&sig=c2VjcmV0', await pixel());
    await put('sig=c2VjcmV0&x.png', Buffer.from('no picture'));
    await put('left-out.txt?sv=2026&sig=c2VjcmV0', Buffer.from('no picture'));
    const post = (body: object) =>
      fetch(`${stack.url}/api/jobs?code=c2VjcmV0`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-functions-key': 'c2VjcmV0' },
        body: JSON.stringify(body),
      });
    const spec = { input: { images: folder }, model: 'starry-night', tolerate: { failedItems: 1 } };
    const answers: Left[] = [];
    for (const wrong of [
      { ...spec, model: 'https://x.blob.core.windows.net/m/a.onnx?sig=c2VjcmV0' },
      { ...spec, input: { video: 'https://x.blob.core.windows.net/inbox/a.mp4?sv=1&sig=c2VjcmV0' } },
      { ...spec, input: { images: 'inbox/none?sig=c2VjcmV0/' } },
      { ...spec, output: { images: 'outbox/AccountKey=c2VjcmV0/?sig=c2VjcmV0' }, compute: { kind: 'sig=c2VjcmV0' } },
    ]) {
      const answer = await post(wrong);
      expect(answer.status).toBe(400);
      answers.push(['answer', await answer.text()]);
    }
    const { jobUrl } = (await (await post(spec)).json()) as { jobUrl: string };
    const id = jobUrl.slice(jobUrl.lastIndexOf('/') + 1).replace(/\?.*/, '');
    const status = await stack.ended(id);
    expect(status).toMatchObject({ state: 'done', items: { total: 2, done: 1, failed: 1 } });
    // Names of images stand in the records of the job, because they are names of blobs.
    const logs = (await recordsOf(stack, id)).filter(([name]) => /^(logs|results|settled)\//.test(name));
    expect(logs.length).toBeGreaterThan(0);
    left.push(...answers, ['status of the hostile job', JSON.stringify(status)]);
    left.push(...logs.filter(([name]) => name.startsWith('logs/')));
  };
  beforeAll(hostile);

  beforeAll(async () => {
    for (const id of Object.values(ids)) {
      left.push(...(await recordsOf(stack, id)), [`status of ${id}`, JSON.stringify(await stack.client.status(id))]);
    }
    for (const row of await historyOf(stack)) left.push(['history', JSON.stringify(row)]);
  });
  /** Jobs that end otherwise. */
  const others: Record<string, string> = {};
  const scoring = async (id: string) =>
    void (await until('its scorers', () => Promise.resolve(processesWith(jobContainer(id)).length > 0 || undefined)));
  beforeAll(async () => {
    others.refused = await jobs.start('container-apps', { compute: { kind: 'container-apps', gpu: 'require' } });
    await stack.ended(others.refused);
    others.cancelled = await jobs.start('local');
    await scoring(others.cancelled);
    await stack.client.cancel(others.cancelled);
    await stack.ended(others.cancelled);
    others.early = await jobs.start('local');
    await stack.client.cancel(others.early);
    await stack.ended(others.early);
    others.terminated = await jobs.start('local');
    await scoring(others.terminated);
    const instance = `${stack.url}/runtime/webhooks/durabletask/instances/${others.terminated}`;
    expect((await fetch(`${instance}/terminate?reason=enough`, { method: 'POST' })).status).toBe(202);
    // The place is given back after the end was told.
    const limits = stack.storage.getContainerClient(LIMITS);
    await until('its place', async () => {
      const text = (await readText(limits, PLACES_BLOB)) ?? '';
      return !text.includes(`"${others.terminated}"`) || undefined;
    });
  });

  // What an app has been told is written when it ends.
  beforeAll(() => stack.stop());

  const toldOf = (id: string | undefined) => linesOf(TOLD).filter(({ dimensions }) => dimensions.job === id);
  const eventsOf = (how: string) => toldOf(others[how]).filter(isEvent);

  test('that a compute refuses is told with why, and has no attempt', () => {
    expect(eventsOf('refused').map(({ name }) => name)).toEqual(['job.started', 'preflight.done', 'job.ended']);
    const [, preflight, ended] = eventsOf('refused');
    const why = expect.stringContaining('CONTAINER_APPS_GPU_IMAGE') as string;
    expect(preflight?.dimensions).toMatchObject({ verdict: 'refused', blame: 'user', message: why });
    expect(ended?.dimensions).toMatchObject({ outcome: 'failed', blame: 'user', message: why });
  });

  test.each([
    ['cancelled', 'request'],
    ['terminated', 'host'],
  ])('that is %s is told once, with its end', (how, by) => {
    const events = eventsOf(how);
    const once = events.map((event) => (event.name === 'attempt.ended' ? `${event.name} ${key(event)}` : event.name));
    expect(new Set(once).size).toBe(once.length);
    expect(once).toEqual(expect.arrayContaining(['job.started', 'preflight.done', 'job.cancelled', 'job.ended']));
    expect(events.find(({ name }) => name === 'job.cancelled')?.dimensions.by).toBe(by);
    const ended = events.find(({ name }) => name === 'job.ended');
    expect(ended?.dimensions.outcome).toBe('cancelled');
    expect(ended?.measurements.attempts).toBe(events.filter(({ name }) => name === 'attempt.ended').length);
    expect(new Set(events.map(({ traceId }) => traceId)).size).toBe(1);
  });

  test('that is cancelled before it was checked is told in its own trace, too', () => {
    const events = eventsOf('early');
    const names = events.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['job.started', 'job.cancelled', 'job.ended']));
    expect(new Set(events.map(({ traceId }) => traceId)).size).toBe(1);
  });

  test('with faults leaves no secret in telemetry, logs, tables, records, statuses or answers, whatever names say', () => {
    left.push(...filesIn(stack.folder), ...filesIn(stack.data));
    const places = left.map(([place]) => place);
    expect(places).toEqual(
      expect.arrayContaining([
        'history',
        TOLD,
        SPANS,
        'devhost.log',
        'azure-emulator.log',
        'manifest.json',
        'logs/b00000-a1.jsonl',
      ]),
    );
    expect(secretsIn(left)).toEqual([]);
    expect(left.filter(([, text]) => text.includes('c2VjcmV0')).map(([place]) => place)).toEqual([]);
  });

  describe.each(KINDS)('with a killed container on %s', (kind) => {
    const told = () => toldOf(ids[kind]);
    const named = (name: string) => told().filter((record) => record.name === name);

    test('is one trace, which its results and its record name', () => {
      const traces = new Set(told().map(({ traceId }) => traceId));
      expect(traces.size).toBe(1);
      const [traceId] = traces;
      expect(manifests[kind]?.resolved?.trace?.traceId).toBe(traceId);
      for (const { result } of records[kind]?.values() ?? []) expect(result.traceId).toBe(traceId);
    });

    test('is one tree below the request that has started it, host and app together', () => {
      const [traceId] = new Set(told().map((record) => record.traceId));
      const spans = [...told().filter(isSpan), ...linesOf(SPANS).filter(isSpan)].filter(
        (span) => span.traceId === traceId,
      );
      const all = new Set(spans.map(({ id }) => id));
      const roots = spans.filter(({ parentId }) => parentId === undefined || !all.has(parentId));
      expect(roots.map(({ name, kind: how, role }) => [name, how, role])).toEqual([['startJob', 'server', 'host']]);
      expect(told().filter(({ parentId }) => !all.has(parentId ?? ''))).toEqual([]);
    });

    test('tells each attempt and each of its phases once, as many as the manifest counts', () => {
      const spans = told().filter(isSpan);
      const once = spans.map((span) => `${span.name} ${key(span)}`);
      expect(new Set(once).size).toBe(once.length);
      expect(named('attempt').filter(isSpan)).toHaveLength(manifests[kind]?.totals.attempts ?? 0);
      const reported = manifests[kind]?.batches.flatMap(({ batch, attempts }) =>
        attempts.flatMap(({ attempt, phases }) =>
          Object.keys(phases?.ended ?? {}).map((phase) => `${phase} ${batch}.${attempt}`),
        ),
      );
      const isPhase = ({ name }: Span) => (PHASES as readonly string[]).includes(name);
      expect(
        spans
          .filter(isPhase)
          .map((span) => `${span.name} ${key(span)}`)
          .toSorted(),
      ).toEqual(reported?.toSorted());
    });

    test('tells every event once, with the counts of the manifest', () => {
      const events = told().filter(isEvent);
      expect(
        events.map((event) => (event.name === 'attempt.ended' ? `${event.name} ${key(event)}` : event.name)).toSorted(),
      ).toEqual([
        'attempt.ended 0.1',
        'attempt.ended 0.2',
        'attempt.ended 1.1',
        'job.ended',
        'job.started',
        'preflight.done',
      ]);
      const { totals } = manifests[kind] ?? {};
      const ended = events.find(({ name }) => name === 'job.ended')?.measurements;
      expect(ended).toMatchObject({ items: totals?.done, failedItems: totals?.failed, attempts: totals?.attempts });
      const attempts = events.filter(({ name }) => name === 'attempt.ended');
      expect(attempts.reduce((sum, { measurements: { items = 0 } }) => sum + items, 0)).toBe(totals?.done);
      const container = attempts.reduce((sum, { measurements: { containerSeconds = 0 } }) => sum + containerSeconds, 0);
      expect(ended?.containerSeconds).toBeCloseTo(container, 3);
      const killed = attempts.find((event) => key(event) === '0.1');
      expect(killed?.dimensions).toMatchObject({ outcome: 'failed', blame: 'attempt' });
      expect(killed?.dimensions).not.toHaveProperty('scorer');
    });

    test('tells the times of the results and of the platform', () => {
      for (const [attempt, { result, settled }] of records[kind] ?? []) {
        const spanOf = (name: string) =>
          named(name).find((record): record is Span => isSpan(record) && key(record) === attempt);
        expect(differ(spanOf('started')?.end, result.startedAt)).toBeLessThan(CLOSE);
        expect(differ(spanOf('modelLoaded')?.end, result.times.modelLoaded)).toBeLessThan(CLOSE);
        expect(differ(spanOf('firstItem')?.end, result.times.firstItem)).toBeLessThan(CLOSE);
        expect(differ(spanOf('lastItem')?.end, result.times.lastItem)).toBeLessThan(CLOSE);
        expect(differ(spanOf('stored')?.end, result.endedAt)).toBeLessThan(CLOSE);
        expect(differ(spanOf('attempt')?.end, settled.observation.endedAt)).toBeLessThan(CLOSE);
      }
    });

    test('says where its containers stood and how big they were', () => {
      for (const record of named('attempt.ended').filter(isEvent)) {
        expect(record.measurements.cpus).toBeGreaterThan(0);
        if (kind === 'local') continue;
        expect(record.dimensions.region).toMatch(/^[a-z]+$/);
        expect(record.measurements).toMatchObject({ gpus: 0, memoryGib: expect.any(Number) as number });
      }
    });
  });
});
