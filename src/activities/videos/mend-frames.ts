import { framesBlob, packStart } from '../../container-contract/places.js';
import { readBatchState } from '../../job-store/batches/batch-state.js';
import { workOf } from '../../job-store/layout.js';
import { readVideoJob } from '../../job-store/resolved-job.js';
import { removeDamagedFrames } from '../../job-store/videos/frames.js';
import { readMended, writeMended } from '../../job-store/videos/mended.js';
import { readSplitChunks } from '../../job-store/videos/video-timing.js';
import { isStopped, unlessStopped } from '../../job-store/stop.js';
import type { OfRun } from '../../job/run.js';
import type { Ports } from '../ports.js';
import { createSplitChunk } from './split-chunk.js';
import { createSplitVideo } from './split-video.js';

export interface MendInput extends OfRun {
  batch: number;
  /** Index of the batch's first item, and how many it has. */
  first: number;
  count: number;
  /** The last one, which has not found all frames. */
  attempt: number;
}

export interface MendResult {
  /** Why it is of no use to try again; absent: the frames are there. */
  lostAgain?: string;
}

/**
 * Splits those frames of a batch again that its scorers have not found, or not whole: as blobs that are gone or damaged, and no others. What
 * was split again once in this run and is lost once more is left so.
 */
export function createMendFrames(ports: MendPorts) {
  const { storage, media } = ports;
  return async (input: MendInput): Promise<MendResult> => {
    const { jobId, run } = input;
    try {
      return await unlessStopped(
        storage,
        jobId,
        (signal) => mend({ ...ports, media: media.stoppedBy(signal), signal }, input),
        run,
      );
    } catch (error) {
      // The launch that follows ends the batch as the stop says.
      if (await isStopped(storage, jobId, run)) return {};
      throw error;
    }
  };
}

type MendPorts = Pick<Ports, 'storage' | 'media' | 'tempFolder' | 'signal'>;

async function mend(ports: MendPorts, input: MendInput): Promise<MendResult> {
  const { storage } = ports;
  const { jobId, run, batch, first, count, attempt } = input;
  const job = await readVideoJob(storage, jobId, run);
  const { missing, results } = await readBatchState(storage, job, input, attempt);
  const without = new Set(missing);
  const mended = await readMended(storage, jobId, batch);
  const lost = results.flatMap(({ attempt: by, lost: each = [] }) =>
    // What was split again since is not lost once more before a scorer has looked at it.
    each.filter((index) => without.has(index) && by > (mended[packStart(index, job.pack)] ?? 0)),
  );
  const gone = await removeDamagedFrames(storage, job, lost);
  const again = gone.find((start) => (mended[start] ?? attempt) < attempt);
  if (again !== undefined) {
    const blob = framesBlob(again, job.pack, job.spec.output.frameFormat);
    return {
      lostAgain: `Storage has lost or damaged ${workOf(storage, jobId).containerName}/${blob} twice, although it was split from the video again: find out what changes or removes blobs there, then start job ${jobId} once more.`,
    };
  }
  if (gone.length > 0) await splitAgain(ports, input, gone);
  // What is there by now was split again for another batch.
  for (const index of lost) mended[packStart(index, job.pack)] = attempt;
  const frames = Object.keys(mended).reduce((sum, start) => sum + Math.min(job.pack, first + count - Number(start)), 0);
  await writeMended(storage, jobId, batch, mended, frames);
  return {};
}

/** @param gone first frames of the blobs. */
async function splitAgain(ports: MendPorts, { jobId, run }: MendInput, gone: number[]): Promise<void> {
  const chunks = await readSplitChunks(ports.storage, jobId);
  for (const [chunk, { first, count }] of chunks.entries())
    if (gone.some((start) => start >= first && start < first + count))
      await createSplitChunk(ports)({ jobId, run, chunk });
  await createSplitVideo(ports)({ jobId, run, chunks: chunks.length });
}
