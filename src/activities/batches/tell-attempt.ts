import { isAlive, type Observation, type Place } from '../../compute/provider.js';
import type { AttemptProgress } from '../../container-contract/progress.js';
import type { AttemptResult } from '../../container-contract/result.js';
import type { AttemptEnd, WatchEnd } from '../../job/attempts/attempt-end.js';
import { messageOfEnd } from '../../job/attempts/attempt-end.js';
import { attemptSplit } from '../../job/attempts/bottleneck.js';
import { type AttemptPhases, describePhases, type PhaseTimes } from '../../job/attempts/phases.js';
import { type BatchState, readProgress } from '../../job-store/batches/batch-state.js';
import type { EndedRun } from '../../job-store/batches/settled.js';
import { computeOf, type ResolvedCompute, type ResolvedJob } from '../../job-store/resolved-job.js';
import type { Storage } from '../../storage/storage.js';
import { placeOf } from '../../telemetry/ids.js';
import type { Invocation, Ports } from '../ports.js';
import type { AttemptInput } from './launch-batch.js';

/** What is known of an attempt that has ended. */
export interface Traces {
  /** What the platform saw of the container. */
  observation: Observation;
  /** What the scorer says of itself: in its result or, when it was killed, in its progress. */
  result: AttemptResult | undefined;
  progress: AttemptProgress | undefined;
  phases: AttemptPhases;
  /** Whether anybody has seen a container. */
  seen: boolean;
}

interface Seen {
  observation: Observation;
  /** When the attempt was seen to have ended, ISO 8601. */
  seenEnded: string;
  state: BatchState;
  /** When it was launched, ISO 8601; of an attempt that was never settled nobody knows it any more. */
  launched?: string;
}

/** Puts together what the platform saw of an attempt and what its scorer says of itself. */
export async function readTraces(
  storage: Storage,
  input: AttemptInput,
  { observation, seenEnded, state, launched }: Seen,
): Promise<Traces> {
  const result = state.results.find(({ attempt }) => attempt === input.attempt);
  const progress = result ? undefined : await readProgress(storage, input);
  const own = result ?? progress;
  const times = { ...observation.times, ...(own && { started: own.startedAt, ...own.times }) };
  const ended: PhaseTimes = { ...times, ...(result && { stored: result.endedAt }) };
  const lastHeardOf = isAlive(observation) ? seenEnded : (result?.endedAt ?? progress?.updatedAt);
  const end = observation.endedAt ?? lastHeardOf;
  // Who was lost, as the processes of an app that was killed, may have been found missing hours later.
  const splitEnd = observation.endedAt ?? (observation.state === 'lost' ? lastHeardOf : seenEnded);
  const start = launched ?? times.queued ?? times.started ?? seenEnded;
  const split = attemptSplit({
    launched: start,
    seen: times,
    alive: own !== undefined,
    own: own?.split,
    ...(!result?.split && { ended: result?.endedAt ?? splitEnd }),
  });
  return {
    observation,
    result,
    progress,
    phases: { ...describePhases(input.attempt, start, ended, end), split },
    seen: observation.state !== 'lost' || Object.keys(ended).length > 0,
  };
}

export interface Told {
  state: BatchState;
  ended: AttemptEnd;
  watchEnd: WatchEnd | 'given-up';
  /** Items that it has scored, where others have scored some of the batch's at the same time. */
  scored?: number | undefined;
}

/** Where an attempt ran, also where the platform has not told the region. */
const placeIn = ({ region }: ResolvedCompute, place: Place | undefined): Place | undefined =>
  region === undefined ? place : { region, ...place };

/** What is kept of the end of an attempt. */
export const endedRun = (
  attempt: number,
  compute: ResolvedCompute,
  { exitCode, place }: Observation,
  { ended, watchEnd }: Pick<Told, 'ended' | 'watchEnd'>,
): EndedRun => ({
  attempt,
  compute: compute.kind,
  end: ended.end,
  blame: ended.end === 'failed' ? ended.failure.blame : undefined,
  message: messageOfEnd(ended),
  watchEnd,
  exitCode,
  place: placeIn(compute, place),
});

/** Tells telemetry of an attempt; once, however often it is settled. */
export function tellAttempt(
  telemetry: Ports['telemetry'],
  job: ResolvedJob,
  { batch, attempt, compute }: AttemptInput,
  { observation, result, progress, phases }: Traces,
  { state, ended, watchEnd, scored: own }: Told,
  invocation: Invocation | undefined,
): void {
  // Of a scorer that was killed the outputs say more than its last report.
  const scored = own ?? (progress ? Math.max(0, state.done.length - progress.skipped) : 0);
  const ranOn = computeOf(job, compute);
  telemetry.attemptEnded({
    jobId: job.jobId,
    place: placeOf(job.jobId, job.trace, invocation?.traceContext?.traceParent),
    model: job.spec.model,
    compute: ranOn.kind,
    batch,
    attempt,
    phases,
    outcome: ended.end,
    blame: ended.end === 'failed' ? ended.failure.blame : undefined,
    message: messageOfEnd(ended),
    watchEnd,
    scorer: result?.outcome,
    device: result?.device,
    items: result?.done.length ?? scored,
    failedItems: result?.failed.length ?? progress?.failed ?? 0,
    exitCode: observation.exitCode,
    where: placeIn(ranOn, observation.place) ?? {},
    timings: result?.timings ?? {},
  });
}
