import { JobError } from '../job/failure.js';
import type { Chunk, RawTimes } from '../media/media.js';
import { chunkTimesBlob, jobOf, mediaBlob, SPLIT_CHUNKS } from '../job-store/layout.js';
import { readJson, writeJson } from '../storage/storage.js';
import type { ChunkInput, SplitResult } from './inputs.js';
import { jobFolder, localCopy } from '../job-store/local-copy.js';
import type { Ports } from './ports.js';
import { readVideoJob } from '../job-store/resolved-job.js';
import { storeFrames } from '../job-store/store-frames.js';

/**
 * Turns a part of a long video into one blob per frame and a blob of their times, which is empty when there are more or fewer frames than
 * the packets promise: the numbers of all later frames would be wrong then. A second run does what is missing.
 */
export function createSplitChunk({ storage, media, tempFolder }: Pick<Ports, 'storage' | 'media' | 'tempFolder'>) {
  return async ({ jobId, chunk: index }: ChunkInput): Promise<SplitResult> => {
    const container = jobOf(storage, jobId);
    const done = await readJson<RawTimes>(container, chunkTimesBlob(index));
    if (done) return { frames: done.length };
    const job = await readVideoJob(storage, jobId);
    const chunk = (await readJson<Chunk[]>(container, SPLIT_CHUNKS))?.[index];
    if (!chunk) throw new RangeError(`there is no chunk ${index} of job ${jobId}`);
    const { video: name } = job.spec.input;
    const file = await localCopy(mediaBlob(storage, name), jobFolder(tempFolder, jobId), 'source');
    const times: RawTimes = [];
    const onTimes = (raw: RawTimes) => void times.push(...raw);
    const format = job.spec.output.frameFormat;
    const frames = media.splitChunk({ file, name, facts: job.video, format, chunk, onTimes });
    const { first, count } = chunk;
    const chunkOf = { first, keep: 'all', chunk: { index, count } } as const;
    const found = await storeFrames(storage, job, frames, chunkOf).catch((error: unknown) => {
      // Whether the file is damaged or only cannot be decoded from here on shows when it is split as a whole.
      if (error instanceof JobError && error.kind === 'user') return 0;
      throw error;
    });
    const expected = found === count && times.length === count && !times.includes(null);
    await writeJson(container, chunkTimesBlob(index), expected ? times : []);
    return { frames: found };
  };
}
