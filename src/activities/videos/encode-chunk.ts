import { rm } from 'node:fs/promises';
import path from 'node:path';
import { chunkAt } from '../../job/plan.js';
import { readFramesToShow } from '../../job-store/videos/frames.js';
import { segmentBlob, workOf } from '../../job-store/layout.js';
import { diskError, jobFolder, ownFolder } from '../../job-store/local-copy.js';
import { readVideoJob } from '../../job-store/resolved-job.js';
import { readTimetable } from '../../job-store/videos/video-timing.js';
import { partOf } from '../../media/media.js';
import type { Ports } from '../ports.js';
import type { ChunkInput } from './split-chunk.js';

/** Encodes a part of the scored frames of a long video; not again when that has been done. */
export function createEncodeChunk({ storage, media, tempFolder }: Pick<Ports, 'storage' | 'media' | 'tempFolder'>) {
  return async ({ jobId, chunk }: ChunkInput): Promise<{ encodedFrames: number }> => {
    const [job, whole] = await Promise.all([readVideoJob(storage, jobId), readTimetable(storage, jobId)]);
    const range = chunkAt(chunk, whole.times.length, job.chunkFrames);
    const segment = workOf(storage, jobId).getBlockBlobClient(segmentBlob(chunk));
    if (await segment.exists()) return { encodedFrames: range.count };
    const timetable = partOf(whole, range);
    const folder = jobFolder(tempFolder, jobId);
    const own = await ownFolder(folder, 'segment-');
    const output = path.join(own, `${chunk}.mov`);
    try {
      const { frameFormat: format, codec, quality } = job.spec.output;
      const frames = readFramesToShow(storage, job, range, chunk);
      const { video: facts, shape } = job;
      await media.encodeSegment({ frames, format, facts, shape, timetable, output, codec, quality });
      await segment.uploadFile(output);
      return { encodedFrames: range.count };
    } catch (error) {
      throw diskError(error, folder);
    } finally {
      await rm(own, { recursive: true, force: true });
    }
  };
}
