import type { ContainerClient } from '@azure/storage-blob';
import { pMapIterable } from 'p-map';
import type { FrameRange } from '../job/chunks.js';
import { JobError } from '../job/failure.js';
import { frameBlob, jobOf, scoredBlob, workOf } from './layout.js';
import { readBytes, type Storage } from '../storage/storage.js';
import type { VideoJob } from './resolved-job.js';
import { createStageProgress } from './stage-progress.js';

/** Frames fetched ahead of ffmpeg. */
const DOWNLOADS = 6;

/** The frames to show, in order, a few fetched ahead; says how far it is. */
export async function* scoredFrames(
  storage: Storage,
  job: VideoJob,
  { first, count }: FrameRange,
  chunk?: number,
): AsyncGenerator<Buffer> {
  const work = workOf(storage, job.jobId);
  const progress = createStageProgress(jobOf(storage, job.jobId), 'stitch', chunk);
  const indices = Array.from({ length: count }, (_, index) => first + index);
  let done = 0;
  for await (const frame of pMapIterable(indices, (index) => frameOrSource(work, job, index), {
    concurrency: DOWNLOADS,
    backpressure: 2 * DOWNLOADS,
  })) {
    yield frame;
    done += 1;
    progress.report(done);
  }
  await progress.settled();
}

/** A frame whose scoring failed, within the job's tolerance, is shown as it came. */
export async function frameOrSource(work: ContainerClient, job: VideoJob, index: number): Promise<Buffer> {
  const { frameFormat } = job.spec.output;
  return (await readBytes(work, scoredBlob(index, frameFormat))) ?? sourceFrame(work, job, index);
}

/** @throws JobError `user` when somebody removed the frame. */
export async function sourceFrame(work: ContainerClient, job: VideoJob, index: number): Promise<Buffer> {
  const name = frameBlob(index, job.spec.output.frameFormat);
  const frame = await readBytes(work, name);
  if (!frame) throw new JobError('user', `${work.containerName}/${name} is gone; start the job again.`);
  return frame;
}
