import pMap from 'p-map';
import { PREDICTED_PREFIX, SCORED_PREFIX } from '../../container-contract/places.js';
import { JobError } from '../../job/failure.js';
import { changedSince } from '../../job/redrive.js';
import { listBlobs, type Storage } from '../../storage/storage.js';
import { workOf } from '../layout.js';
import { readMadeOf } from '../made-of.js';
import type { Manifest } from '../manifest.js';
import { findResolvedJob, type ResolvedJob } from '../resolved-job.js';
import { forgetMaker, registerMaker, wayOf } from './makers.js';

/**
 * Lets later jobs reuse what a job has made, once that is where it stays; not if the model, the style or what else all of it is made of was
 * replaced while the job ran: nobody knows then which outputs are made of which.
 */
export async function offerForReuse(storage: Storage, job: ResolvedJob, outcome: Manifest['outcome']): Promise<void> {
  const { jobId, making, made, output, spec } = job;
  if (making === undefined || made === undefined) return;
  const isThere = outcome === 'done' || wayOf(job) === 'parts';
  const now = isThere ? await readMadeOf(storage, spec).catch(orChanged) : undefined;
  if (now && changedSince(made, now, spec) === undefined) await registerMaker(storage, making, { jobId, output });
  else await forgetMaker(storage, making, jobId);
}

/** What is gone by now has changed. */
function orChanged(error: unknown): undefined {
  if (!(error instanceof JobError && error.blame === 'user')) throw error;
}

/** Before the records of a job go. */
export async function withdrawFromReuse(storage: Storage, jobId: string): Promise<void> {
  const making = (await findResolvedJob(storage, jobId))?.making;
  if (making !== undefined) await forgetMaker(storage, making, jobId);
}

/** Whether a job that is done keeps what its scorers have stored for other jobs: nothing else has it frame by frame. */
export const keepsParts = (job: ResolvedJob | undefined): boolean =>
  job?.spec.reuse === true && job.making !== undefined && wayOf(job) === 'parts';

const REMOVED_AT_ONCE = 16;

/** Removes what nobody can reuse: frames and what was made on the way to the result. */
export async function removeAllButParts(storage: Storage, jobId: string): Promise<void> {
  const work = workOf(storage, jobId);
  const remove = async ({ name }: { name: string }) => {
    if (!name.startsWith(SCORED_PREFIX) && !name.startsWith(PREDICTED_PREFIX))
      await work.getBlobClient(name).deleteIfExists();
  };
  await pMap(listBlobs(work, { prefix: '' }), remove, { concurrency: REMOVED_AT_ONCE });
}
