import type { JobEnd } from '../job/notice.js';
import { readJson, type Storage, writeJson } from '../storage/storage.js';
import { doneBlob, jobOf, MANIFEST, OUTBOX } from './layout.js';
import type { Manifest } from './manifest.js';

const endOf = (storage: Storage, manifest: Manifest): JobEnd => ({
  jobId: manifest.jobId,
  outcome: manifest.outcome,
  message: manifest.message,
  output: manifest.outcome === 'done' ? manifest.output : undefined,
  manifest: jobOf(storage, manifest.jobId).getBlobClient(MANIFEST).url,
  startedBy: manifest.startedBy,
  finishedAt: manifest.finishedAt,
});

/** What there is to tell of a job that has ended; undefined when its manifest is gone. */
export async function readJobEnd(storage: Storage, jobId: string): Promise<JobEnd | undefined> {
  const manifest = await readJson<Manifest>(jobOf(storage, jobId), MANIFEST);
  return manifest && endOf(storage, manifest);
}

/** Says in the outbox that the job has ended, for whoever watches the outbox. */
export async function writeDoneFile(storage: Storage, manifest: Manifest): Promise<void> {
  const outbox = storage.media.getContainerClient(OUTBOX);
  await outbox.createIfNotExists();
  const { jobId, startedBy } = manifest;
  await writeJson(outbox, doneBlob(jobId, startedBy), endOf(storage, manifest), { job: jobId });
}
