import type { Observation } from '../../compute/provider.js';
import type { Stop } from '../../job/attempts/attempt-end.js';
import { type BatchState, readBatchState, unscoredOf } from '../../job-store/batches/batch-state.js';
import { computeOf, readResolvedJob } from '../../job-store/resolved-job.js';
import { readSettled, type Settled, writeSettled } from '../../job-store/batches/settled.js';
import { stopJob } from '../../job-store/stop.js';
import type { Storage } from '../../storage/storage.js';
import type { AttemptInput } from './launch-batch.js';
import type { Invocation, Ports } from '../ports.js';
import { stopIfTooMuchIsLost } from './stop-exceeded.js';
import { endedRun, readTraces, tellAttempt, type Traces } from './tell-attempt.js';

export interface GiveUpInput extends AttemptInput {
  /** Why the batch gets no more attempts. */
  message: string;
  /** Why the job cannot go on without the batch; left out when it can, as far as it tolerates. */
  stop?: Stop;
}

export interface GivenUp {
  failed: number;
  /** Items with no output and no recorded failure. */
  missing: number;
}

/** Records that a batch gets no more attempts, and keeps the other batches from going on when the job is bound to fail for it. */
export function createGiveUpBatch({ storage, telemetry }: Pick<Ports, 'storage' | 'telemetry'>) {
  return async (input: GiveUpInput, invocation?: Invocation): Promise<GivenUp> => {
    const { jobId, run = 1, batch, attempt, message, stop } = input;
    const job = await readResolvedJob(storage, jobId, run);
    const settled = await readSettled(storage, jobId, batch);
    const state = await readBatchState(storage, job, input, attempt, settled?.suspicion);
    const unscored = unscoredOf(state);
    const traces = isSettled(settled, attempt) ? undefined : await readUnsettled(storage, input, state, settled);
    const others = settled?.phases.filter((each) => each.attempt !== attempt) ?? [];
    const ended = { end: 'failed', failure: { blame: stop?.blame ?? 'attempt', message } } as const;
    const watchEnd = 'given-up';
    const ends = settled?.ends?.filter((each) => each.attempt !== attempt) ?? [];
    if (traces?.seen) {
      tellAttempt(telemetry, job, input, traces, { state, ended, watchEnd }, invocation);
    }
    await writeSettled(storage, jobId, {
      phases: [],
      observation: LOST,
      attempt: 0,
      ...settled,
      ...(traces?.seen && {
        attempt,
        runs: attempt,
        phases: [...others, traces.phases],
        ends: [...ends, endedRun(attempt, computeOf(job, input.compute), traces.observation, { ended, watchEnd })],
      }),
      batch,
      done: state.done.length,
      reused: state.reused,
      failed: unscored.length,
      state: 'failed',
      settling: undefined,
      message,
      unscored,
      missing: state.missing.length,
    });
    if (stop) await stopJob(storage, jobId, { ...stop, run });
    else if (unscored.length > 0) {
      const own = { batch, failed: unscored.length, missing: state.missing.length };
      await stopIfTooMuchIsLost(storage, job, own, message);
    }
    return { failed: state.failed.length, missing: state.missing.length };
  };
}

const LOST: Observation = { state: 'lost' };

/** What is known of an attempt that was launched and never settled to its end. */
function readUnsettled(
  storage: Storage,
  input: GiveUpInput,
  state: BatchState,
  settled: Settled | undefined,
): Promise<Traces> {
  const { observation = LOST, seenEnded = new Date().toISOString() } =
    settled?.attempt === input.attempt ? settled : {};
  return readTraces(storage, input, { observation, seenEnded, state });
}

/** Whether an attempt was settled to its end, which leaves a message or a batch that is over. */
const isSettled = (settled: Settled | undefined, attempt: number) =>
  settled !== undefined &&
  (settled.attempt > attempt ||
    (settled.attempt === attempt && (settled.state !== 'retrying' || settled.message !== '')));
