import { pMapIterable } from 'p-map';
import type { FrameRange } from '../../job/plan.js';
import { again } from '../../container-contract/storage-access.js';
import { JobError } from '../../job/failure.js';
import { contentTypeOf } from '../../job/formats.js';
import { ppmDamage } from '../../job/ppm.js';
import type { VideoFacts } from '../../media/media.js';
import { listBlobs, readBytes, type Storage } from '../../storage/storage.js';
import { frameBlob, frameIndex, FRAMES_PREFIX, framesPrefix, scoredBlob, workOf } from '../layout.js';
import type { VideoJob } from '../resolved-job.js';
import { readUnscored } from '../batches/settled.js';
import { createStageProgress } from '../stage-progress.js';

/** Uploads that wait for storage at the same time, or downloads; ffmpeg is held back when all are busy. */
const TRANSFERS = 6;
/** Fewer where frames are so large that they would hold more than this. */
const TRANSFER_BYTES = 64 * 1024 * 1024;

export interface StoreOptions {
  /** Index of the first frame. */
  first: number;
  /** Whether frames from an earlier run are kept or uploaded again. */
  keep: 'all' | 'none';
  /** Absent for a whole video. */
  chunk?: { index: number; count: number };
}

/** Uploads the frames as they come and reports how far it is. A blob is there whole or not at all. @returns their number. */
export async function storeFrames(
  storage: Storage,
  job: VideoJob,
  frames: AsyncIterable<Buffer>,
  { first, keep, chunk }: StoreOptions,
): Promise<number> {
  const { jobId, spec } = job;
  const progress = createStageProgress(storage, jobId, 'split', chunk?.index);
  const prefix = chunk ? framesPrefix(first, first + chunk.count - 1) : FRAMES_PREFIX;
  const there = keep === 'all' ? await uploaded(storage, jobId, prefix) : new Set();
  let done = 0;
  const store = async ({ index, frame }: { index: number; frame: Buffer }) => {
    if (!there.has(index)) await upload(storage, jobId, frameBlob(index, spec.output.frameFormat), frame);
    return 1;
  };
  // pMap itself loses an error of its source while several uploads wait for the next frame (p-map 7.1.1).
  for await (const one of pMapIterable(numbered(frames, first), store, {
    concurrency: transfersOf(job.video),
    preserveOrder: false,
  })) {
    done += one;
    progress.report(done);
  }
  await progress.settled();
  return done;
}

async function uploaded(storage: Storage, jobId: string, prefix: string): Promise<Set<unknown>> {
  const there = new Set<unknown>();
  for await (const { name } of listBlobs(workOf(storage, jobId), { prefix })) there.add(frameIndex(name));
  return there;
}

async function* numbered(frames: AsyncIterable<Buffer>, first: number) {
  let index = first;
  for await (const frame of frames) {
    yield { index, frame };
    index += 1;
  }
}

async function upload(storage: Storage, jobId: string, name: string, frame: Buffer): Promise<void> {
  const blob = workOf(storage, jobId).getBlockBlobClient(name);
  const options = { blobHTTPHeaders: { blobContentType: contentTypeOf(name) } };
  await again(() => blob.upload(frame, frame.length, options));
}

/**
 * The frames to show, in order, a few fetched ahead; reports how far it is.
 * @param chunk of a long video that is encoded in several.
 */
export async function* readFramesToShow(
  storage: Storage,
  job: VideoJob,
  { first, count }: FrameRange,
  chunk?: number,
): AsyncGenerator<Buffer> {
  const progress = createStageProgress(storage, job.jobId, 'stitch', chunk);
  const unscored = await readUnscored(storage, job.jobId);
  const indices = Array.from({ length: count }, (_, index) => first + index);
  const transfers = transfersOf({ ...job.video, ...job.shape });
  let done = 0;
  for await (const frame of pMapIterable(indices, (index) => readFrameToShow(storage, job, index, unscored), {
    concurrency: transfers,
    backpressure: 2 * transfers,
  })) {
    yield frame;
    done += 1;
    progress.report(done);
  }
  await progress.settled();
}

const transfersOf = ({ width, height }: Pick<VideoFacts, 'width' | 'height'>) =>
  Math.min(TRANSFERS, Math.max(1, Math.floor(TRANSFER_BYTES / (3 * width * height))));

/**
 * The scored frame; one that the batches have ended without, within the job's tolerance, is shown as it came.
 * @param unscored indices of those.
 * @throws JobError `item` when the output of any other frame is gone. One that is damaged is removed, so that it is scored again.
 */
export async function readFrameToShow(
  storage: Storage,
  job: VideoJob,
  index: number,
  unscored: Set<number>,
): Promise<Buffer> {
  const work = workOf(storage, job.jobId);
  const name = scoredBlob(index, job.spec.output.frameFormat);
  const scored = await readBytes(work, name);
  const damage = scored && damageOf(name, scored);
  if (damage !== undefined) {
    await work.getBlobClient(name).deleteIfExists();
    throw new JobError('item', `The scored frame ${work.containerName}/${name} is damaged: ${damage}.`);
  }
  if (scored) return scored;
  if (unscored.has(index)) return readSourceFrame(storage, job, index);
  throw new JobError('item', `The scored frame ${work.containerName}/${name} is gone.`);
}

/** @throws JobError `user` when somebody removed the frame or damaged it. */
export async function readSourceFrame(storage: Storage, job: VideoJob, index: number): Promise<Buffer> {
  const work = workOf(storage, job.jobId);
  const name = frameBlob(index, job.spec.output.frameFormat);
  const frame = await readBytes(work, name);
  if (!frame) throw new JobError('user', `${work.containerName}/${name} is gone; start the job again.`);
  const damage = damageOf(name, frame);
  if (damage !== undefined)
    throw new JobError('user', `${work.containerName}/${name} is damaged: ${damage}; start the job again.`);
  return frame;
}

/** Of a frame whose pixels ffmpeg would take for whatever they are; those of the other formats it checks itself. */
const damageOf = (name: string, frame: Buffer) => (name.endsWith('.ppm') ? ppmDamage(frame) : undefined);
