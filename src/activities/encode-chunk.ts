import { rm } from 'node:fs/promises';
import path from 'node:path';
import { chunkAt } from '../job/chunks.js';
import { JobError } from '../job/failure.js';
import { type PackedTimetable, partOf, unpack } from '../media/media.js';
import { jobOf, segmentBlob, TIMING, workOf } from '../job-store/layout.js';
import { readJson } from '../storage/storage.js';
import type { EncodeChunkInput, SplitResult } from './inputs.js';
import { diskError, jobFolder, ownFolder } from '../job-store/local-copy.js';
import type { Ports } from './ports.js';
import { readVideoJob } from '../job-store/resolved-job.js';
import { scoredFrames } from '../job-store/scored-frames.js';

/** Encodes a part of the scored frames of a long video; not again when that has been done. */
export function createEncodeChunk({ storage, media, tempFolder }: Pick<Ports, 'storage' | 'media' | 'tempFolder'>) {
  return async ({ jobId, chunk, frames: all, chunkFrames }: EncodeChunkInput): Promise<SplitResult> => {
    const range = chunkAt(chunk, all, chunkFrames);
    const segment = workOf(storage, jobId).getBlockBlobClient(segmentBlob(chunk));
    if (await segment.exists()) return { frames: range.count };
    const job = await readVideoJob(storage, jobId);
    const packed = await readJson<PackedTimetable>(jobOf(storage, jobId), TIMING);
    if (!packed) throw new JobError('user', `The timetable of job ${jobId} is gone; start the job again.`);
    const timetable = partOf(unpack(packed), range);
    const folder = jobFolder(tempFolder, jobId);
    const own = await ownFolder(folder, 'segment-');
    const output = path.join(own, `${chunk}.mov`);
    try {
      const { frameFormat: format, codec, quality } = job.spec.output;
      const frames = scoredFrames(storage, job, range, chunk);
      await media.encodeSegment({ frames, format, facts: job.video, timetable, output, codec, quality });
      await segment.uploadFile(output);
      return { frames: range.count };
    } catch (error) {
      throw diskError(error, folder);
    } finally {
      await rm(own, { recursive: true, force: true });
    }
  };
}
