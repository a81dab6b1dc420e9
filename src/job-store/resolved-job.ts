import { JobError } from '../job/failure.js';
import type { ModelCard } from '../model-card/schema.js';
import type { JobSpec } from '../job/spec.js';
import type { VideoFacts } from '../media/media.js';
import { jobOf, RESOLVED_JOB } from './layout.js';
import { readJson, type Storage } from '../storage/storage.js';

/** The job after `prepareJob`: all that later activities need, kept in a blob so that it does not burden the history. */
export type ResolvedJob = VideoJob | ImagesJob;

interface Resolved {
  jobId: string;
  spec: JobSpec;
  card: ModelCard;
  /** Path of the result in the media account: a blob, or the prefix of all results of an image folder. */
  output: string;
  parallel: number;
  gpu?: boolean;
  createdAt: string;
}

export interface VideoJob extends Resolved {
  spec: JobSpec & { input: { video: string } };
  video: VideoFacts;
}

export interface ImagesJob extends Resolved {
  /** `container/prefix/` in the media account. */
  images: string;
}

/** @throws JobError `user` when the job's files are gone or it is an image folder's. */
export async function readVideoJob(storage: Storage, jobId: string): Promise<VideoJob> {
  const job = await readResolvedJob(storage, jobId);
  if ('video' in job) return job;
  throw new JobError('user', `Job ${jobId} scores images and has no video.`);
}

/** @throws JobError `user` when the job's files are gone or it is a video's. */
export async function readImagesJob(storage: Storage, jobId: string): Promise<ImagesJob> {
  const job = await readResolvedJob(storage, jobId);
  if ('images' in job) return job;
  throw new JobError('user', `Job ${jobId} scores a video and has no images.`);
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
