import { describe, expect, test } from 'vitest';
import { describePhases } from '../../../src/job/attempts/phases.js';
import {
  type AttemptEnded,
  describeAttempt,
  describeCancelled,
  describeJobEnd,
  describePreflight,
  describeStart,
  describeStarted,
  describeLost,
  describeRefused,
  describeSwept,
} from '../../../src/telemetry/describe.js';
import type { Span, TelemetryEvent, TelemetryRecord } from '../../../src/telemetry/records.js';

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();
const place = { traceId: 'a'.repeat(32), parentId: 'b'.repeat(16) };
const job = { jobId: 'coast-k3v9q2xa', place, model: 'starry-night', compute: 'aci' };

const attempt: AttemptEnded = {
  ...job,
  batch: 3,
  attempt: 2,
  phases: describePhases(
    2,
    at(0),
    {
      queued: at(4),
      pulled: at(10),
      started: at(12),
      modelLoaded: at(14),
      firstItem: at(15),
      lastItem: at(30),
      stored: at(30.5),
    },
    at(31),
  ),
  outcome: 'complete',
  message: '',
  watchEnd: 'ended',
  scorer: 'completed',
  device: 'cpu, 2 sessions',
  items: 60,
  failedItems: 1,
  exitCode: 0,
  where: { region: 'westeurope', cpus: 4, memoryGib: 7.45, gpus: 0 },
  timings: { startup: 1500, modelLoad: 900, infer: 14_250.4, wall: 18_000 },
};

const spansOf = (records: TelemetryRecord[]) => records.filter((record): record is Span => record.type === 'span');
const eventOf = (records: TelemetryRecord[]) =>
  records.find((record): record is TelemetryEvent => record.type === 'event');

describe('an attempt', () => {
  const records = describeAttempt(attempt);
  const [whole, ...phases] = spansOf(records);

  test('is one span from its launch to its end, below the activity that settles it', () => {
    expect(whole).toMatchObject({
      name: 'attempt',
      kind: 'consumer',
      role: 'scorer',
      traceId: place.traceId,
      parentId: place.parentId,
      start: at(0),
      end: at(31),
      ok: true,
    });
  });

  test('has one span below it for each phase, which begins where the one before ended', () => {
    expect(phases.map(({ name, start, end }) => [name, start, end])).toEqual([
      ['queued', at(0), at(4)],
      ['pulled', at(4), at(10)],
      ['started', at(10), at(12)],
      ['modelLoaded', at(12), at(14)],
      ['firstItem', at(14), at(15)],
      ['lastItem', at(15), at(30)],
      ['stored', at(30), at(30.5)],
    ]);
    expect(new Set(phases.map(({ parentId }) => parentId))).toEqual(new Set([whole?.id]));
  });

  test('is one event below it, with its numbers in seconds and counts', () => {
    const event = eventOf(records);
    expect(event).toMatchObject({ name: 'attempt.ended', parentId: whole?.id, time: at(31) });
    expect(event?.measurements).toEqual({
      items: 60,
      failedItems: 1,
      exitCode: 0,
      containerSeconds: 27,
      queuedSeconds: 4,
      pulledSeconds: 6,
      startedSeconds: 2,
      modelLoadedSeconds: 2,
      firstItemSeconds: 1,
      lastItemSeconds: 15,
      storedSeconds: 0.5,
      startupSeconds: 1.5,
      modelLoadSeconds: 0.9,
      inferSeconds: 14.25,
      wallSeconds: 18,
      cpus: 4,
      memoryGib: 7.45,
      gpus: 0,
    });
  });

  test('says whose it is, and what ran it where', () => {
    for (const { dimensions } of records)
      expect(dimensions).toMatchObject({
        job: 'coast-k3v9q2xa',
        batch: '3',
        attempt: '2',
        model: 'starry-night',
        device: 'cpu',
        compute: 'aci',
        region: 'westeurope',
      });
    expect(eventOf(records)?.dimensions).toMatchObject({ outcome: 'complete', watchEnd: 'ended', scorer: 'completed' });
    expect(eventOf(records)?.dimensions).not.toHaveProperty('message');
  });

  test('has an id for each span and event, the same when it is told again', () => {
    const ids = records.map(({ id }) => id);
    expect(new Set(ids).size).toBe(9);
    expect(describeAttempt({ ...attempt, message: 'another' }).map(({ id }) => id)).toEqual(ids);
    const others = describeAttempt({ ...attempt, attempt: 3 }).map(({ id }) => id);
    expect(others.filter((id) => ids.includes(id))).toEqual([]);
  });

  test('that failed says who is to blame, and why', () => {
    const failed = describeAttempt({ ...attempt, outcome: 'failed', blame: 'attempt', message: 'it was killed' });
    expect(spansOf(failed)[0]).toMatchObject({ ok: false, dimensions: { blame: 'attempt' } });
    expect(eventOf(failed)?.dimensions).toMatchObject({
      outcome: 'failed',
      blame: 'attempt',
      message: 'it was killed',
    });
  });

  test('that was stopped with its job is no failure of its own', () => {
    expect(spansOf(describeAttempt({ ...attempt, outcome: 'stopped' }))[0]?.ok).toBe(true);
  });

  test('of which nobody has seen anything is told of all the same', () => {
    const lost = describeAttempt({
      ...job,
      batch: 0,
      attempt: 1,
      phases: describePhases(1, at(0), {}),
      outcome: 'failed',
      blame: 'platform',
      message: 'lost',
      watchEnd: 'ended',
      items: 0,
      failedItems: 0,
      where: {},
      timings: {},
    });
    expect(spansOf(lost).map(({ name, start, end }) => [name, start, end])).toEqual([['attempt', at(0), at(0)]]);
    expect(eventOf(lost)?.measurements).toEqual({ items: 0, failedItems: 0, containerSeconds: 0 });
  });

  test('whose clocks contradict each other has no phase that ends before it begins', () => {
    const ended = { queued: at(10), started: at(9), modelLoaded: at(11) };
    const skewed = describeAttempt({ ...attempt, phases: describePhases(1, at(0), ended, at(12)) });
    expect(spansOf(skewed).map(({ name, start, end }) => [name, start, end])).toEqual([
      ['attempt', at(0), at(12)],
      ['queued', at(0), at(10)],
      ['started', at(9), at(9)],
      ['modelLoaded', at(10), at(11)],
    ]);
  });
});

describe('the start of a job', () => {
  test('is a call to the host, below the request, and an event below the call', () => {
    const facts = { ...job, input: 'video' as const };
    const span = describeStart(facts, at(1), at(2), true);
    expect(span).toMatchObject({ name: 'start scoreJob', kind: 'client', role: 'app', parentId: place.parentId });
    expect(describeStarted(facts, at(1))).toMatchObject({
      name: 'job.started',
      parentId: span.id,
      traceId: place.traceId,
      dimensions: { job: job.jobId, model: 'starry-night', compute: 'aci', input: 'video' },
    });
  });
});

describe('the check before a job', () => {
  test('tells what it has found in numbers', () => {
    const verdict = { ok: true, parallel: 4, expectedItems: 250, splitChunks: 1, gpu: false, warnings: 2 } as const;
    expect(describePreflight({ ...job, verdict }, at(1))).toMatchObject({
      name: 'preflight.done',
      dimensions: { verdict: 'ok', gpu: 'false' },
      measurements: { parallel: 4, expectedItems: 250, splitChunks: 1, warnings: 2 },
    });
  });

  test('of a folder of images does not say how many there are', () => {
    const verdict = {
      ok: true,
      parallel: 4,
      expectedItems: undefined,
      splitChunks: 0,
      gpu: false,
      warnings: 0,
    } as const;
    expect(describePreflight({ ...job, verdict }, at(1)).measurements).toEqual({
      parallel: 4,
      splitChunks: 0,
      warnings: 0,
    });
  });

  test('that refuses the job says why', () => {
    const verdict = { ok: false, blame: 'user', message: 'There is no such model.' } as const;
    expect(describePreflight({ ...job, verdict }, at(1))).toMatchObject({
      dimensions: { verdict: 'refused', blame: 'user', message: 'There is no such model.' },
      measurements: {},
    });
  });
});

describe('the end of a job', () => {
  const facts = { ...job, items: 249, failedItems: 1, attempts: 5, seconds: 90.5, containerSeconds: 300 };

  test('tells its outcome in numbers, and blames nobody for what is done', () => {
    const event = describeJobEnd({ ...facts, outcome: 'done', blame: 'user', message: '' }, at(9));
    expect(event.dimensions).toEqual({ job: job.jobId, model: 'starry-night', compute: 'aci', outcome: 'done' });
    expect(event.measurements).toEqual({
      items: 249,
      failedItems: 1,
      attempts: 5,
      seconds: 90.5,
      containerSeconds: 300,
    });
  });

  test('that was never prepared has no length, no model and no compute', () => {
    const unprepared = { jobId: job.jobId, place, items: 0, failedItems: 0, attempts: 0, containerSeconds: 0 };
    const event = describeJobEnd({ ...unprepared, outcome: 'failed', blame: 'user', message: 'No video.' }, at(9));
    expect(event.dimensions).toEqual({ job: job.jobId, outcome: 'failed', blame: 'user', message: 'No video.' });
    expect(event.measurements).not.toHaveProperty('seconds');
  });
});

test('a removed container is told once for each container, with what it ran', () => {
  const swept = (container: string) => describeSwept({ ...job, container, batch: 3, attempt: 1, message: 'x' }, at(1));
  expect(swept('one')).toMatchObject({ name: 'container.swept', dimensions: { container: 'one', batch: '3' } });
  expect(swept('one').id).not.toBe(swept('two').id);
});

test('a cancelled job is told once, whoever asked for it', () => {
  const request = describeCancelled({ ...job, by: 'request' }, at(1));
  expect(request).toMatchObject({ name: 'job.cancelled', dimensions: { by: 'request' } });
  expect(describeCancelled({ ...job, by: 'host' }, at(2)).id).toBe(request.id);
});

test('no secret that somebody has written into a name or a sentence is told', () => {
  const url = 'https://a.blob.core.windows.net/inbox/x.mp4?sv=2026&sig=c2VjcmV0%3D&se=1';
  const records = [
    ...describeAttempt({ ...attempt, model: url, message: `no ${url}`, where: { region: url } }),
    describePreflight({ ...job, verdict: { ok: false, blame: 'user', message: 'AccountKey=abc==;x' } }, at(1)),
    describeSwept({ ...job, container: 'Bearer 0123456789abcdef0123', message: 'InstrumentationKey=1-2' }, at(1)),
  ];
  expect(JSON.stringify(records)).not.toMatch(/sig=|c2VjcmV0|AccountKey|InstrumentationKey|0123456789abcdef/);
});

test('new media that starts no job is told once for each version, by its path and the reason, without secrets', () => {
  const refused = (claim: string) =>
    describeRefused({ claim, blob: 'inbox/a.mp4', place, message: 'No model; see https://a.b?sig=abcdefgh' }, at(1));
  expect(refused('inbox-1')).toMatchObject({ name: 'media.refused', dimensions: { blob: 'inbox/a.mp4' } });
  expect(refused('inbox-1').dimensions).not.toHaveProperty('job');
  expect(refused('inbox-1').id).not.toBe(refused('inbox-2').id);
  expect(JSON.stringify(refused('inbox-1'))).not.toContain('abcdefgh');
  const record = 'quarantine/_events/1.json';
  expect(describeLost({ record, place }, at(1))).toMatchObject({ name: 'message.lost', dimensions: { record } });
});
