import type { WorkTimings } from '../../src/container-contract/result.js';
import { describePhases, PHASES } from '../../src/job/phases.js';
import type { WatchEnd } from '../../src/job/attempt-end.js';
import type { TelemetryRecord } from '../../src/telemetry/records.js';
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

/** Everything that the app can tell of a job, in each way it can end, as its own telemetry tells it. */
export async function recordJobs(): Promise<TelemetryRecord[]> {
  const records: TelemetryRecord[] = [];
  const telemetry = tellTo([{ report: (told) => records.push(...told), flush: () => Promise.resolve() }]);
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
  await telemetry.flush();
  return records;
}
