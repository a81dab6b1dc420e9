import type { Stop } from '../../job/attempt-end.js';
import { readBatchState, unscoredOf } from '../../job-store/batches/batch-state.js';
import { readResolvedJob } from '../../job-store/resolved-job.js';
import { readSettled, writeSettled } from '../../job-store/batches/settled.js';
import { stopJob } from '../../job-store/stop.js';
import type { AttemptInput } from './launch-batch.js';
import type { Ports } from '../ports.js';
import { stopForFailed } from './settle-batch.js';

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
export function createGiveUpBatch({ storage }: Pick<Ports, 'storage'>) {
  return async (input: GiveUpInput): Promise<GivenUp> => {
    const { jobId, batch, attempt, message, stop } = input;
    const job = await readResolvedJob(storage, jobId);
    const state = await readBatchState(storage, job, input, attempt);
    const settled = await readSettled(storage, jobId, batch);
    const unscored = unscoredOf(state);
    await writeSettled(storage, jobId, {
      phases: [],
      observation: { state: 'lost' },
      attempt: 0,
      ...settled,
      batch,
      done: state.done.length,
      failed: unscored.length,
      state: 'failed',
      message,
      unscored,
    });
    if (stop) await stopJob(storage, jobId, stop);
    else if (unscored.length > job.spec.tolerate.failedItems)
      await stopForFailed(storage, job, unscored.length, message);
    return { failed: state.failed.length, missing: state.missing.length };
  };
}
