import { untaken } from '../../container-contract/share.js';
import { readBatchState, readTask, writeTask } from '../../job-store/batches/batch-state.js';
import { giveHelperPlaces, readShare, takeHelperPlace } from '../../job-store/batches/helpers.js';
import { readSettled } from '../../job-store/batches/settled.js';
import { readItems } from '../../job-store/images/items.js';
import { jobOf, progressBlob, shareBlob, taskBlob } from '../../job-store/layout.js';
import { computeOf, readResolvedJob, type ResolvedJob } from '../../job-store/resolved-job.js';
import { isStopped } from '../../job-store/stop.js';
import { freeFromDead, orHeld, whileHolding } from '../../storage/lease.js';
import type { Storage } from '../../storage/storage.js';
import type { Invocation, Ports } from '../ports.js';
import { type AttemptInput, requestFor, taskFor } from './launch-batch.js';

export interface HelpInput extends AttemptInput {
  /** The attempt whose items it takes over. */
  helps: number;
  /** Batches that are scored in this run of the job. */
  batches: number;
}

export interface HelpResult {
  /** Whether a container was started: the job has idle ones, and the batch has something left to take over. */
  launched: boolean;
}

/**
 * Starts one more container for a batch that is being scored. It takes over what the others have not taken up once it is ready, so they go
 * on as if it did not exist until then. A second delivery starts nothing; see `createLaunchBatch`.
 */
export function createHelpBatch({ storage, compute }: Pick<Ports, 'storage' | 'compute'>) {
  return async (input: HelpInput, invocation?: Invocation): Promise<HelpResult> => {
    const { jobId, run = 1, batch, attempt } = input;
    const job = await readResolvedJob(storage, jobId, run);
    // One that may have been launched before is settled with the others.
    const known = await readTask(storage, input);
    if (await isStopped(storage, jobId, run)) return { launched: known !== undefined };
    const task = known ?? (await newTask(storage, job, input));
    if (!task) {
      await giveHelperPlaces(storage, jobId, batch, attempt);
      return { launched: false };
    }
    const what = `batch ${batch}, attempt ${attempt}`;
    if (!known) await orHeld(what, () => writeTask(storage, task, input.compute));
    const { moreMemory } = (await readSettled(storage, jobId, batch)) ?? {};
    const request = await requestFor(storage, job, input, { moreMemory: moreMemory !== undefined, invocation });
    const provider = compute[computeOf(job, input.compute).kind];
    const blob = jobOf(storage, jobId).getBlockBlobClient(taskBlob(batch, attempt));
    if (known && provider.endsWithApp) await freeFromDead(blob);
    await whileHolding(blob, what, (confirm) => provider.launch({ ...request, isExtra: true, confirm }));
    return { launched: true };
  };
}

/** Undefined when there is no place for it or nothing to do. */
async function newTask(storage: Storage, job: ResolvedJob, input: HelpInput) {
  const { jobId, batch, first, count, attempt, helps, batches } = input;
  // There is none before somebody has helped.
  const share = await readShare(storage, jobId, batch, helps);
  const { suspicion } = (await readSettled(storage, jobId, batch)) ?? {};
  const { missing } = await readBatchState(storage, job, input, attempt - 1, suspicion);
  const free = new Set(share ? untaken(share, missing) : missing);
  // What containers may have died of is scored alone, by the one that was given it.
  for (const index of suspicion?.suspects ?? []) free.delete(index);
  if (free.size < 2 || !(await takeHelperPlace(storage, jobId, input, { parallel: job.parallel, batches })))
    return undefined;
  const items = (await readItems(storage, job, first, count)).filter(({ index }) => free.has(index));
  return {
    ...taskFor(job, input, items),
    helps,
    helpedBlob: progressBlob(batch, helps),
    shareBlob: shareBlob(batch, helps),
  };
}
