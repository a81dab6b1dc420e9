import { pMapIterable } from 'p-map';
import { JobError } from '../../job/failure.js';
import type { OfRun } from '../../job/run.js';
import { type PictureSize, pictureSize } from '../../job/items/picture-size.js';
import { imagesOf, readListed } from '../../job-store/images/items.js';
import { readVideoJob } from '../../job-store/resolved-job.js';
import { createStageProgress } from '../../job-store/stage-progress.js';
import { writeTimetable } from '../../job-store/videos/video-timing.js';
import { constantTimetable } from '../../media/media.js';
import { readBytes } from '../../storage/storage.js';
import type { Ports } from '../ports.js';

export interface MeasureInput extends OfRun {
  first: number;
  count: number;
}

export interface Measured {
  /** Chunks in which the scored frames are to be encoded; 1 for few frames. */
  encodeChunks: number;
}

const READS = 32;
/** Most files say within this how large their picture is; those of cameras have a small picture before it. */
const STEPS = [4 * 1024, 128 * 1024, undefined];

/**
 * Reads of some of a folder's frames how large they are, before anything is spent on them. A file that does not say it is left to the
 * scorer. Keeps when each frame of the job is shown.
 * @throws JobError `user` that names the first frame of another size.
 */
export function createMeasureFrames({ storage, signal }: Pick<Ports, 'storage' | 'signal'>) {
  return async ({ jobId, run = 1, first, count }: MeasureInput): Promise<Measured> => {
    const job = await readVideoJob(storage, jobId, run);
    const { images = '', video, chunkFrames } = job;
    const { container, prefix } = imagesOf(storage, images);
    const progress = createStageProgress(storage, jobId, 'list');
    const frames = await readListed(storage, job, first, count);
    const measure = async ({ name }: { name: string }) => ({ name, size: await sizeOf(`${prefix}${name}`) });
    let done = first;
    for await (const { name, size } of pMapIterable(frames, measure, { concurrency: READS })) {
      signal?.throwIfAborted();
      if (size && (size.width !== video.width || size.height !== video.height))
        throw new JobError(
          'user',
          `The frames in ${images} differ in size: ${name} has ${inPixels(size)}, and those before it ${inPixels(video)}; give all the same size.`,
        );
      done += 1;
      progress.report(done);
    }
    await progress.settled();
    const all = video.framesEstimate;
    if (first === 0) await writeTimetable(storage, jobId, constantTimetable(all, video.frameRate));
    return { encodeChunks: Math.ceil(all / chunkFrames) };

    async function sizeOf(blob: string): Promise<PictureSize | undefined> {
      for (const step of STEPS) {
        const bytes = await readBytes(container, blob, step);
        const size = bytes && pictureSize(bytes);
        if (size !== 'more') return size;
        if (step !== undefined && bytes !== undefined && bytes.length < step) return undefined;
      }
      return undefined;
    }
  };
}

const inPixels = ({ width, height }: PictureSize) => `${width} × ${height} pixels`;
