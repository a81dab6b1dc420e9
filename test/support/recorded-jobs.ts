import type { WorkTimings } from '../../src/container-contract/result.js';
import { describePhases, PHASES } from '../../src/job/attempts/phases.js';
import type { WatchEnd } from '../../src/job/attempts/attempt-end.js';
import type { Sink, TelemetryRecord } from '../../src/telemetry/records.js';
import { type Telemetry, tellTo } from '../../src/telemetry/telemetry.js';

type AttemptEnded = Parameters<Telemetry['attemptEnded']>[0];

const JOB = {
  jobId: 'job-1',
  place: { traceId: 'a'.repeat(32), parentId: 'b'.repeat(16) },
  model: 'starry-night',
  compute: 'aci',
};

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 26) + seconds * 1000).toISOString();

const TIMINGS: WorkTimings = {
  startup: 900,
  modelLoad: 400,
  fetch: 300,
  decode: 500,
  prepare: 100,
  infer: 9000,
  finish: 100,
  encode: 700,
  store: 600,
  wall: 11_000,
};

const ATTEMPT: AttemptEnded = {
  ...JOB,
  batch: 3,
  attempt: 1,
  phases: describePhases(
    1,
    at(0),
    Object.fromEntries(PHASES.map((phase, index) => [phase, at(5 * (index + 1))])),
    at(36),
  ),
  outcome: 'complete',
  message: 'all items are scored',
  watchEnd: 'ended',
  scorer: 'completed',
  device: 'cpu',
  items: 68,
  failedItems: 1,
  exitCode: 0,
  where: { region: 'westeurope', cpus: 4, memoryGib: 8, gpus: 0 },
  timings: TIMINGS,
};

const STALLED: WatchEnd = 'stalled';

/** Tells sinks everything that the app can tell of jobs, in each way that they can end. */
export async function tellOfJobs(sinks: Sink[]): Promise<void> {
  const telemetry = tellTo(sinks);
  await telemetry.startJob({ ...JOB, input: 'video' }, () => Promise.resolve());
  telemetry.preflight({
    ...JOB,
    verdict: { ok: true, parallel: 4, expectedItems: 680, splitChunks: 1, gpu: false, warnings: 0 },
  });
  telemetry.attemptEnded(ATTEMPT);
  telemetry.attemptEnded({
    ...ATTEMPT,
    attempt: 2,
    outcome: 'failed',
    blame: 'attempt',
    watchEnd: STALLED,
    scorer: undefined,
    message: 'the scorer handled no item for longer than timeouts.stallSeconds',
  });
  const ended = { items: 680, failedItems: 1, attempts: 12, seconds: 90, containerSeconds: 400, message: '' };
  telemetry.jobEnded({ ...JOB, ...ended, outcome: 'done', blame: 'user' });
  telemetry.jobEnded({
    ...JOB,
    jobId: 'job-2',
    ...ended,
    outcome: 'failed',
    blame: 'platform',
    message: 'no capacity',
  });
  telemetry.cancelled({ ...JOB, by: 'request' });
  telemetry.swept({ ...JOB, container: 'score-job-1-b3-a1', batch: 3, attempt: 1, message: 'job job-1 has ended' });
  telemetry.mediaRefused({ claim: 'inbox-1', blob: 'inbox/a.mp4', place: JOB.place, message: 'There is no model.' });
  telemetry.messageLost({ record: 'quarantine/_events/1.json', place: JOB.place });
  await telemetry.flush();
}

/** What `tellOfJobs` tells. */
export async function recordJobs(): Promise<TelemetryRecord[]> {
  const records: TelemetryRecord[] = [];
  await tellOfJobs([{ report: (told) => records.push(...told), flush: () => Promise.resolve() }]);
  return records;
}

/** The tables in which Application Insights keeps what it is told. */
export type Table = 'customEvents' | 'requests' | 'dependencies' | 'traces';

/** What was told under one name: its dimensions with the values seen, and its measurements. */
export interface Told {
  dimensions: Map<string, Set<string>>;
  measurements: Set<string>;
}
export type Recorded = Record<Table, Map<string, Told>>;

interface Row {
  table: Table;
  name: string;
  dimensions: Record<string, string>;
  measurements: Record<string, number>;
}

export function toTables(rows: Row[]): Recorded {
  const tables: Recorded = { customEvents: new Map(), requests: new Map(), dependencies: new Map(), traces: new Map() };
  for (const { table, name, dimensions, measurements } of rows) {
    const told = tables[table].get(name) ?? { dimensions: new Map(), measurements: new Set() };
    tables[table].set(name, told);
    for (const [dimension, value] of Object.entries(dimensions))
      told.dimensions.set(dimension, (told.dimensions.get(dimension) ?? new Set()).add(value));
    for (const measurement of Object.keys(measurements)) told.measurements.add(measurement);
  }
  return tables;
}

/** The row that a record becomes. A span's id has a column of its own; an event's is a dimension. */
export function rowOf(record: TelemetryRecord): Row {
  const { name, dimensions } = record;
  if (record.type === 'event')
    return {
      table: 'customEvents',
      name,
      dimensions: { ...dimensions, id: record.id },
      measurements: record.measurements,
    };
  const table = record.kind === 'server' || record.kind === 'consumer' ? 'requests' : 'dependencies';
  return { table, name, dimensions, measurements: {} };
}
