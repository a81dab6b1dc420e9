import { changeJson, isNotFound, readJson, type Storage } from '../../storage/storage.js';
import { ownerBlob, ownersOf } from '../layout.js';

/** Whose job it is. One without such a record is the deployment's. */
export interface Owner {
  /** Id of the caller. */
  owner: string;
  /** On which day its latest run counts, as in `2026-11-27`; absent where nothing is counted. */
  day?: string;
}

/** Undefined of a job that nobody has started with an id of its own, or that there is not. */
export const readOwner = (storage: Storage, jobId: string) => readJson<Owner>(ownersOf(storage), ownerBlob(jobId));

/** Says whose a job is, before it starts. A job that has an owner keeps it. */
export const writeOwner = (storage: Storage, jobId: string, { owner, day }: Owner): Promise<Owner> =>
  changeJson<Owner>(ownersOf(storage), ownerBlob(jobId), (before) => {
    if (before && (day === undefined || before.day === day)) return before;
    return { owner: before?.owner ?? owner, ...(day !== undefined && { day }) };
  });

export async function removeOwner(storage: Storage, jobId: string): Promise<void> {
  const record = ownersOf(storage).getBlobClient(ownerBlob(jobId));
  // Where callers share their jobs, there are no records at all.
  await record.deleteIfExists().catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}
