import { listMetadata, readJson, type Storage, writeJson } from '../../storage/storage.js';
import { jobOf, MENDED_PREFIX, mendedBlob } from '../layout.js';

/** The packs of a batch that were split from the video again in this run of the job: their first frames, and after which attempt that was. */
export type Mended = Record<number, number>;

/** @param frames in all of them. */
export const writeMended = (storage: Storage, jobId: string, batch: number, mended: Mended, frames: number) =>
  writeJson(jobOf(storage, jobId), mendedBlob(batch), mended, { frames: String(frames) });

export const readMended = async (storage: Storage, jobId: string, batch: number): Promise<Mended> =>
  (await readJson<Mended>(jobOf(storage, jobId), mendedBlob(batch))) ?? {};

/** How many frames of all batches were split again. */
export async function countMended(storage: Storage, jobId: string): Promise<number> {
  let frames = 0;
  for await (const { metadata } of listMetadata(jobOf(storage, jobId), MENDED_PREFIX))
    frames += Number(metadata.frames);
  return frames;
}
