import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { chunkAt, type FrameRange } from '../../job/plan.js';
import { readUnscored } from '../../job-store/batches/settled.js';
import { isNotFound, type Storage } from '../../storage/storage.js';
import { readFramesToShow } from '../../job-store/videos/frames.js';
import { segmentBlob, workOf } from '../../job-store/layout.js';
import { diskError, jobFolder, ownFolder } from '../../job-store/local-copy.js';
import { readVideoJob, type VideoJob } from '../../job-store/resolved-job.js';
import { readTimetable } from '../../job-store/videos/video-timing.js';
import { partOf } from '../../media/media.js';
import type { Ports } from '../ports.js';
import type { ChunkInput } from './split-chunk.js';

/** Tells what frames a part shows: those that were scored, and as they came those that could not be. */
async function digestOfShown(
  storage: Storage,
  { jobId, spec }: VideoJob,
  { first, count }: FrameRange,
): Promise<string> {
  // A frame that could not be scored may show one of the part before.
  const unscored = [...(await readUnscored(storage, jobId))].filter((index) => index < first + count);
  return createHash('sha256')
    .update(JSON.stringify([unscored.toSorted((a, b) => a - b), unscored.length > 0 && spec.tolerate.fill]))
    .digest('hex');
}

/** Encodes a part of the scored frames of a long video; not again when that has been done with the same frames. */
export function createEncodeChunk({ storage, media, tempFolder }: Pick<Ports, 'storage' | 'media' | 'tempFolder'>) {
  return async ({ jobId, run = 1, chunk }: ChunkInput): Promise<{ encodedFrames: number }> => {
    const [job, whole] = await Promise.all([readVideoJob(storage, jobId, run), readTimetable(storage, jobId)]);
    const range = chunkAt(chunk, whole.times.length, job.chunkFrames);
    const segment = workOf(storage, jobId).getBlockBlobClient(segmentBlob(chunk));
    const shown = { frames: await digestOfShown(storage, job, range) };
    const earlier = await segment.getProperties().catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
    if (earlier?.metadata?.frames === shown.frames) return { encodedFrames: range.count };
    const timetable = partOf(whole, range);
    const folder = jobFolder(tempFolder, jobId);
    const own = await ownFolder(folder, 'segment-');
    const output = path.join(own, `${chunk}.mov`);
    try {
      const { frameFormat: format, codec, quality } = job.spec.output;
      const frames = readFramesToShow(storage, job, range, chunk);
      const { video: facts, shape } = job;
      await media.encodeSegment({ frames, format, facts, shape, timetable, output, codec, quality });
      await segment.uploadFile(output, { metadata: shown });
      return { encodedFrames: range.count };
    } catch (error) {
      throw diskError(error, folder);
    } finally {
      await rm(own, { recursive: true, force: true });
    }
  };
}
