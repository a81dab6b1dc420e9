import type { Place } from '../compute/provider.js';
import type { ComputeChoice, ComputeKind } from '../job/compute-choice.js';
import { JobError } from '../job/failure.js';
import type { MadeOf } from '../job/redrive.js';
import type { OfRun } from '../job/run.js';
import type { JobSpec } from '../job/spec.js';
import type { TracePlace } from '../job/trace.js';
import type { OtherStreams, PictureShape, VideoFacts } from '../media/media.js';
import type { ModelCard } from '../model-card/schema.js';
import { readJson, type Storage, writeJson } from '../storage/storage.js';
import { jobOf, RESOLVED_JOB } from './layout.js';

/** What a job makes of its items, and how much there is to do for that. */
export interface Handed {
  /** Frames the video is expected to have, which `splitVideo` corrects; 0 for images. */
  expectedItems: number;
  /** Activities that split the video; 1 for a short one, 0 where the items are files. */
  splitChunks: number;
  /** What becomes of the frames of a video, or of the images. */
  delivers: 'video' | 'predictions' | 'video and predictions' | 'images';
  /** Frames of a pack, of which a batch holds whole ones; absent for images, and in histories of earlier versions. */
  pack?: number;
  /** Pixels of the output video for each of the source's; 0 where none is made. */
  enlarged: number;
  warnings: string[];
}

/** The job after `prepareJob`: all that later activities need, kept in a blob so that it does not burden the history. */
export type ResolvedJob = VideoJob | ImagesJob;

interface Resolved extends OfRun {
  /** The specification before anything was looked at; absent in records of earlier versions. */
  asked?: JobSpec;
  spec: JobSpec;
  /** Absent in records of earlier versions. */
  sha256?: Sums;
  card: ModelCard;
  /** Path of the result in the media account: a video, or the prefix of all results of an image folder, or of the predictions of a video. */
  output: string;
  parallel: number;
  /** Of a job with fallbacks: the computes of which it may use any, in the order in which it tries them. */
  computes?: ResolvedCompute[];
  gpu?: boolean | undefined;
  /** Of a container, in GB, and what the next one of a batch gets after one that ran out of it; absent where the compute sets no limit. */
  memory?: { gb: number; moreGb?: number } | undefined;
  /** How big a container is, as far as that is known; absent in records of earlier versions. */
  size?: Omit<Place, 'region'> | undefined;
  /** Items of a pack; with 1, each is a file of its own. The frames of a video and what is made of them have the same packs. */
  pack: number;
  createdAt: string;
  /** What `prepareJob` found out and handed on; absent in records of earlier versions. */
  prepared?: Handed;
  /** Of what the outputs are made, by which a later run can tell whether they are what it would make; absent in records of earlier versions. */
  made?: MadeOf;
  /** SHA-256 of all that its outputs depend on besides their items: see `job/reuse.ts`. Absent where nobody is to reuse them. */
  making?: string;
  /** The job's trace, for whoever tells of the job and is not called by its orchestration; absent in records of earlier versions. */
  trace?: TracePlace;
}

/** A compute as the preflight found it. */
export interface ResolvedCompute
  extends Pick<ComputeChoice, 'kind' | 'region' | 'device'>, Pick<Resolved, 'gpu' | 'memory' | 'size'> {}

/**
 * What runs an attempt of a job.
 * @param number of the compute among those of the job: the first, when left out.
 */
export function computeOf({ spec, computes, gpu, memory, size }: ResolvedJob, number = 0): ResolvedCompute {
  return computes?.[number] ?? { ...spec.compute, gpu, memory, size };
}

/** Whatever may run containers of a job, each kind once. */
export const kindsOf = ({ spec, computes = [] }: ResolvedJob): ComputeKind[] => [
  ...new Set([spec.compute, ...computes].map(({ kind }) => kind)),
];

/** SHA-256 of the bytes, in hexadecimal digits; absent where there is no such file. */
export interface Sums {
  model: string;
  /** Of the files beside the model. */
  card?: string;
  labels?: string;
  style?: string;
}

export interface VideoJob extends Resolved {
  /** Of frames that were files, those that a video of them has. */
  video: VideoFacts;
  /** Of the video, when it has started the job itself: later versions are other jobs'. */
  videoEtag?: string;
  /** `container/prefix/` in the media account of the files that are its frames; absent where a video is split into them. */
  images?: string;
  /** Path of the file in the media account whose sound goes with such frames, if there is any. */
  sound?: string;
  /** How the output shows the frames, where the model gives them another size. */
  shape?: PictureShape | undefined;
  /** What the output takes from the video besides its pictures. */
  others: OtherStreams;
  /** `container/prefix/` in the media account where the predictions go, of a model that gives no pictures. */
  predictions?: string;
  /** Frames that one activity splits or encodes at most. */
  chunkFrames: number;
}

export interface ImagesJob extends Resolved {
  /** `container/prefix/` in the media account. */
  images: string;
}

/** Where the job writes in the media account. */
export function placesOf(job: ResolvedJob | undefined): string[] {
  if (!job) return [];
  const predictions = 'video' in job ? job.predictions : undefined;
  return predictions === undefined || predictions === job.output ? [job.output] : [job.output, predictions];
}

/** The version of the video that the job is about, without quotes; undefined in records of earlier versions, and of frames that were files. */
export const videoVersion = ({ made, videoEtag }: VideoJob): string | undefined => made?.video?.etag ?? videoEtag;

const MOST_REMEMBERED = 64;
/** Once `prepareJob` is over nobody changes the record while its run goes on, so a process reads it once for all activities; the latest read is last. */
const remembered = new WeakMap<Storage, Map<string, ResolvedJob>>();

export async function writeResolvedJob(storage: Storage, job: ResolvedJob): Promise<void> {
  await writeJson(jobOf(storage, job.jobId), RESOLVED_JOB, job);
  remembered.get(storage)?.delete(job.jobId);
}

/** Undefined when `prepareJob` has not succeeded, or somebody removed the record. */
export const findResolvedJob = (storage: Storage, jobId: string) =>
  readJson<ResolvedJob>(jobOf(storage, jobId), RESOLVED_JOB);

/**
 * @param run for which it is asked; any, when left out.
 * @throws JobError `user` when the job has no such record: it was removed while the job ran, another run has begun, or an earlier version wrote it.
 */
export async function readResolvedJob(storage: Storage, jobId: string, run?: number): Promise<ResolvedJob> {
  const jobs = remembered.get(storage) ?? new Map<string, ResolvedJob>();
  remembered.set(storage, jobs);
  const isOfRun = (each: ResolvedJob) => run === undefined || (each.run ?? 1) === run;
  const known = jobs.get(jobId);
  const job = known && isOfRun(known) ? known : await findResolvedJob(storage, jobId);
  if (!job)
    throw new JobError(
      'user',
      `The files of job ${jobId} are gone from the internal storage account; start the job again.`,
    );
  if (!('pack' in job))
    throw new JobError(
      'user',
      `Job ${jobId} was started by an earlier version of the app, which stored its items in another way; start it again.`,
    );
  if (!isOfRun(job)) throw new JobError('user', `Another run of job ${jobId} has begun.`);
  jobs.delete(jobId);
  jobs.set(jobId, job);
  const [oldest] = jobs.keys();
  if (jobs.size > MOST_REMEMBERED && oldest !== undefined) jobs.delete(oldest);
  return job;
}

/** @throws JobError `user` when the job's record is gone or it delivers images. */
export async function readVideoJob(storage: Storage, jobId: string, run?: number): Promise<VideoJob> {
  const job = await readResolvedJob(storage, jobId, run);
  if ('video' in job) return job;
  throw new JobError('user', `Job ${jobId} scores images and has no video.`);
}

/** @throws JobError `user` when the job's record is gone or it makes a video. */
export async function readImagesJob(storage: Storage, jobId: string, run?: number): Promise<ImagesJob> {
  const job = await readResolvedJob(storage, jobId, run);
  if (!('video' in job)) return job;
  throw new JobError('user', `Job ${jobId} makes a video and delivers no images.`);
}
