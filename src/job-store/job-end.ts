import type { JobEnd } from '../job/notice.js';
import { isNotFound, type Storage, writeJson } from '../storage/storage.js';
import { doneBlob, jobOf, MANIFEST, OUTBOX } from './layout.js';
import { type Manifest, readManifest } from './manifest.js';

type Ended = Pick<Manifest, 'jobId' | 'outcome' | 'message' | 'finishedAt' | 'startedBy' | 'resolved'>;

const endOf = (storage: Storage, manifest: Ended): JobEnd => ({
  jobId: manifest.jobId,
  outcome: manifest.outcome,
  message: manifest.message,
  output: manifest.outcome === 'done' ? manifest.resolved?.output : undefined,
  manifest: jobOf(storage, manifest.jobId).getBlobClient(MANIFEST).url,
  startedBy: manifest.startedBy,
  finishedAt: manifest.finishedAt,
});

/** What there is to tell of a job that has ended; undefined when its manifest is gone. */
export async function readJobEnd(storage: Storage, jobId: string): Promise<JobEnd | undefined> {
  const manifest = await readManifest(storage, jobId);
  return manifest && endOf(storage, manifest);
}

/** Says in the outbox that the job has ended, for whoever watches the outbox. */
export async function writeDoneFile(storage: Storage, manifest: Manifest): Promise<void> {
  const outbox = storage.media.getContainerClient(OUTBOX);
  const { jobId, startedBy } = manifest;
  const write = () => writeJson(outbox, doneBlob(jobId, startedBy), endOf(storage, manifest), { job: jobId });
  await write().catch(async (error: unknown) => {
    if (!isNotFound(error)) throw error;
    await outbox.createIfNotExists();
    await write();
  });
}
