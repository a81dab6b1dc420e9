import { createHash } from 'node:crypto';
import { PHASES } from '../../src/job/attempts/phases.js';
import type { Span, TelemetryEvent, TelemetryRecord } from '../../src/telemetry/records.js';

export const JOB = 'job-of-a-test';
export const TRACE = '0af7651916cd43dd8448eb211c80319c';
export const BEGAN = Date.parse('2026-11-26T10:00:00.000Z');

export const idOf = (...parts: (string | number)[]) =>
  createHash('sha256').update(parts.join(' ')).digest('hex').slice(0, 16);
export const at = (seconds: number) => new Date(BEGAN + Math.round(seconds * 1000)).toISOString();

/** A span of the test's job. Times are seconds since its request. */
export function span(
  name: string,
  [from, to]: [from: number, to: number],
  { key = name, ...more }: Partial<Span> & { key?: string } = {},
): Span {
  return {
    type: 'span',
    traceId: TRACE,
    id: idOf(key),
    name,
    role: 'host',
    kind: 'server',
    dimensions: {},
    start: at(from),
    end: at(to),
    ok: true,
    ...more,
  };
}

export function event(name: string, seconds: number, more: Partial<TelemetryEvent> = {}): TelemetryEvent {
  return {
    type: 'event',
    traceId: TRACE,
    id: idOf('event', name, seconds),
    name,
    role: 'app',
    dimensions: { job: JOB },
    time: at(seconds),
    measurements: {},
    ...more,
  };
}

interface Shape {
  lanes: number;
  /** Batches per lane. */
  batches: number;
  model?: string;
}

/** What the files hold of a job: 2 s before its lanes, 4 s for each batch in a lane, 2 s after them. */
export function jobRecords({ lanes, batches, model = 'starry-night' }: Shape): TelemetryRecord[] {
  const records: TelemetryRecord[] = [];
  const end = 2 + 4 * batches;
  const scoreJob = idOf('scoreJob');
  records.push(
    span('POST /api/jobs', [0, 0.2], { key: 'request' }),
    span('start scoreJob', [0.1, 0.2], { key: 'start', parentId: idOf('request'), role: 'app', kind: 'client' }),
    span('create_orchestration:scoreJob', [0.1, 0.2], {
      key: 'create',
      parentId: idOf('start'),
      kind: 'client',
      dimensions: { 'durabletask.task.instance_id': JOB },
    }),
    ...activity('prepareJob', [0.3, 1], scoreJob, 'prepareJob'),
    ...activity('splitVideo', [1, 2], scoreJob, 'splitVideo'),
  );
  for (let lane = 0; lane < lanes; lane += 1) {
    const laneName = `${JOB}-lane-${String(lane).padStart(2, '0')}`;
    for (let turn = 0; turn < batches; turn += 1) {
      const batch = turn * lanes + lane;
      records.push(...batchRecords(batch, 2 + 4 * turn, { model, lane: laneName }));
    }
    records.push(
      span('orchestration:scoreLane', [2, end], {
        key: laneName,
        parentId: scoreJob,
        dimensions: { 'durabletask.task.instance_id': laneName },
      }),
    );
  }
  records.push(
    ...activity('stitchVideo', [end, end + 1.5], scoreJob, 'stitchVideo'),
    ...activity('finishJob', [end + 1.5, end + 2], scoreJob, 'finishJob'),
    event('job.ended', end + 2, {
      dimensions: { job: JOB, outcome: 'done', model },
      measurements: { items: lanes * batches * 10 },
      parentId: idOf('finishJob', 'run'),
    }),
    span('orchestration:scoreJob', [0.2, end + 2], {
      key: 'scoreJob',
      parentId: idOf('create'),
      dimensions: { 'durabletask.task.instance_id': JOB },
    }),
  );
  return records;
}

/** An activity is there twice: as called, and as run a little later. */
export function activity(
  name: string,
  [from, to]: [number, number],
  parentId: string,
  key: string,
  instance = JOB,
): Span[] {
  const named = `activity:${name}`;
  const dimensions = { 'durabletask.task.instance_id': instance };
  return [
    span(named, [from, to], { id: idOf(key), parentId, kind: 'client', dimensions }),
    span(named, [from + 0.02, to], { id: idOf(key, 'run'), parentId: idOf(key), dimensions }),
  ];
}

function batchRecords(
  batch: number,
  from: number,
  { model, lane }: { model: string; lane: string },
): TelemetryRecord[] {
  const key = `${lane}-batch-${String(batch).padStart(4, '0')}`;
  const about = { job: JOB, batch: String(batch), attempt: '1', model, device: 'cpu', compute: 'local' };
  const settle = `settle ${batch}`;
  const attempt = idOf('attempt', batch);
  const ends = [from + 0.2, from + 0.3, from + 0.6, from + 1, from + 1.2, from + 3.3];
  return [
    ...activity('launchBatch', [from, from + 0.2], idOf(key), `launch ${batch}`, key),
    span('orchestration:scoreBatch:timer', [from + 0.3, from + 3.4], {
      key: `timer ${batch}`,
      parentId: idOf(key),
      kind: 'internal',
    }),
    ...activity('observeBatch', [from + 3.4, from + 3.5], idOf(key), `observe ${batch}`, key),
    ...activity('settleBatch', [from + 3.5, from + 3.9], idOf(key), settle, key),
    span('attempt', [from + 0.1, from + 3.4], {
      id: attempt,
      parentId: idOf(settle, 'run'),
      role: 'scorer',
      kind: 'consumer',
      dimensions: about,
    }),
    ...PHASES.map((phase, index) =>
      span(phase, [ends[index - 1] ?? from + 0.1, ends[index] ?? from + 3.4], {
        id: idOf('phase', batch, phase),
        parentId: attempt,
        role: 'scorer',
        kind: 'internal',
        dimensions: about,
      }),
    ),
    event('attempt.ended', from + 3.4, {
      id: idOf('attempt.ended', batch),
      parentId: attempt,
      dimensions: about,
      measurements: { items: 10 },
    }),
    span('orchestration:scoreBatch', [from, from + 4], {
      key,
      parentId: idOf(lane),
      dimensions: { 'durabletask.task.instance_id': key },
    }),
  ];
}
