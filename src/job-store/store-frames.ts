import pMap from 'p-map';
import { frameBlob, frameIndex, FRAMES_PREFIX, framesPrefix, jobOf, workOf } from './layout.js';
import { type Storage } from '../storage/storage.js';
import type { VideoJob } from './resolved-job.js';
import { createStageProgress } from './stage-progress.js';

/** Uploads that wait for storage at the same time; ffmpeg is held back when all are busy. */
const UPLOADS = 6;

export interface StoreOptions {
  /** Index of the first frame. */
  first: number;
  /** Frames from an earlier run that are not uploaded again. */
  keep: 'all' | 'none';
  /** Absent for a whole video. */
  chunk?: { index: number; count: number };
}

/** Uploads the frames as they come and reports how far it is; gives their number. A blob is there whole or not at all. */
export async function storeFrames(
  storage: Storage,
  job: VideoJob,
  frames: AsyncIterable<Buffer>,
  { first, keep, chunk }: StoreOptions,
): Promise<number> {
  const { jobId, spec } = job;
  const progress = createStageProgress(jobOf(storage, jobId), 'split', chunk?.index);
  const prefix = chunk ? framesPrefix(first, first + chunk.count - 1) : FRAMES_PREFIX;
  const there = keep === 'all' ? await uploaded(storage, jobId, prefix) : new Set();
  let done = 0;
  const store = async ({ index, frame }: { index: number; frame: Buffer }) => {
    if (!there.has(index)) await upload(storage, jobId, frameBlob(index, spec.output.frameFormat), frame);
    done += 1;
    progress.report(done);
  };
  await pMap(numbered(frames, first), store, { concurrency: UPLOADS });
  await progress.settled();
  return done;
}

async function uploaded(storage: Storage, jobId: string, prefix: string): Promise<Set<unknown>> {
  const there = new Set<unknown>();
  for await (const { name } of workOf(storage, jobId).listBlobsFlat({ prefix })) there.add(frameIndex(name));
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
  const blobContentType = name.endsWith('.png') ? 'image/png' : 'image/jpeg';
  await workOf(storage, jobId)
    .getBlockBlobClient(name)
    .upload(frame, frame.length, { blobHTTPHeaders: { blobContentType } });
}
