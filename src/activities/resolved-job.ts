import { JobError } from '../job/failure.js';
import type { ModelCard } from '../job/model-card.js';
import type { JobSpec } from '../job/spec.js';
import type { VideoFacts } from '../media/media.js';
import { RESOLVED_JOB } from '../storage/layout.js';
import { jobOf, readJson, type Storage } from '../storage/storage.js';

/** The job after `prepareJob`: all that later activities need, kept in a blob so that it does not burden the history. */
export interface ResolvedJob {
  jobId: string;
  spec: JobSpec;
  card: ModelCard;
  video: VideoFacts;
  /** Path of the result in the media account. */
  output: string;
  parallel: number;
  gpu?: boolean;
  createdAt: string;
}

/** @throws JobError `user` when the job has no such blob: it was removed while the job ran. */
export async function readResolvedJob(storage: Storage, jobId: string): Promise<ResolvedJob> {
  const job = await readJson<ResolvedJob>(jobOf(storage, jobId), RESOLVED_JOB);
  if (!job)
    throw new JobError(
      'user',
      `The files of job ${jobId} are gone from the internal storage account; start the job again.`,
    );
  return job;
}
