import type { WatchEnd } from '../../job/attempts/attempt-end.js';
import { lacksPlace, overdue, secondsToNextPoll } from '../../job/attempts/watch.js';
import { containerName } from '../../job-store/layout.js';
import { computeOf, readResolvedJob } from '../../job-store/resolved-job.js';
import { seeProgress } from '../../job-store/now.js';
import { isKnownStopped, isStopped, readStop, stopIfLate } from '../../job-store/stop.js';
import { forgetWaiting, orNoteWaiting } from '../../job-store/batches/waiting.js';
import type { AttemptInput } from './launch-batch.js';
import type { Ports } from '../ports.js';

export interface ObserveInput extends AttemptInput {
  /** Milliseconds since the epoch, on the durable clock. */
  launchedAt: number;
  /** Whether the look before this one failed. */
  again?: boolean;
  /** Whether somebody woke the batch, as whoever stops the job does. */
  woken?: boolean;
}

export interface ObserveResult {
  /** Why the watch is over; absent while the container runs within its limits. */
  watchEnd?: WatchEnd;
  /** When to look again. */
  pollSeconds: number;
}

/** What was seen of a scorer so long ago does to tell when to look again, milliseconds. */
const SEEN_MS = 10_000;

/** Looks once at a container and its progress, and says whether the watch is over and, if not, when to look again. */
export function createObserveBatch({ storage, compute }: Pick<Ports, 'storage' | 'compute'>) {
  return async (input: ObserveInput): Promise<ObserveResult> => {
    const { jobId, run, batch, attempt, launchedAt } = input;
    const job = await readResolvedJob(storage, jobId, run ?? 1);
    const { spec } = job;
    const provider = compute[computeOf(job, input.compute).kind];
    const [observation, progress, stop] = await Promise.all([
      orNoteWaiting(storage, input, () => provider.observe(containerName(jobId, batch, attempt))),
      seeProgress(storage, input, SEEN_MS),
      input.woken === true ? isStopped(storage, jobId, run) : isKnownStopped(storage, jobId, run),
    ]);
    if (input.again === true) await forgetWaiting(storage, input);
    const now = Date.now();
    const pollSeconds = secondsToNextPoll(provider.poll, launchedAt, now, progress);
    const alive = observation.state === 'running' || observation.state === 'provisioning';
    if (!alive) return { watchEnd: 'ended', pollSeconds };
    if (await stopIfLate(storage, job)) return { watchEnd: 'stopped', pollSeconds };
    const mayFinish = stop && (await readStop(storage, jobId, run))?.running === 'finish';
    if (stop && !mayFinish) return { watchEnd: 'stopped', pollSeconds };
    const { fallbackAfterSeconds: after } = spec.compute;
    const hasPlace =
      progress !== undefined || observation.state === 'running' || observation.times?.queued !== undefined;
    if (
      job.computes &&
      job.computes.length > 1 &&
      after !== undefined &&
      !hasPlace &&
      lacksPlace(after, launchedAt, now)
    )
      return { watchEnd: 'no-room', pollSeconds };
    if (overdue(spec.timeouts, launchedAt, now, progress) === undefined) return { pollSeconds };
    // It may have reported since it was seen.
    const latest = await seeProgress(storage, input, 0);
    return { watchEnd: overdue(spec.timeouts, launchedAt, now, latest), pollSeconds };
  };
}
