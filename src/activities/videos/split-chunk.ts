import type { OfRun } from '../../job/run.js';
import { JobError } from '../../job/failure.js';
import { FrameMemory } from '../../job/items/frame-memory.js';
import { inputOf } from '../../job/spec.js';
import { hasFrames, storeFrames } from '../../job-store/videos/frames.js';
import { jobFolder, localVideo } from '../../job-store/local-copy.js';
import { readVideoJob, videoVersion } from '../../job-store/resolved-job.js';
import {
  joinChunkTimes,
  readChunkTimes,
  readSplitChunks,
  writeChunkTimes,
} from '../../job-store/videos/video-timing.js';
import { type Findings, isAsProbed, type RawTimes } from '../../media/media.js';
import type { Ports } from '../ports.js';

/** One chunk of a long video, from 0. */
export interface ChunkInput extends OfRun {
  chunk: number;
}

type SplitPorts = Pick<Ports, 'storage' | 'media' | 'tempFolder' | 'signal'>;

/**
 * Turns a part of a long video into one blob per frame and a blob of their times. That one is empty when there are more or fewer
 * frames than the packets promise, since the numbers of all later frames would be wrong then, and when the frames are of another kind
 * than the probe saw. A second run does what is missing.
 */
export function createSplitChunk({ storage, media, tempFolder, signal }: SplitPorts) {
  return async ({ jobId, run = 1, chunk: index }: ChunkInput): Promise<{ splitFrames: number }> => {
    const chunks = await readSplitChunks(storage, jobId);
    const chunk = chunks[index];
    if (!chunk) throw new RangeError(`there is no chunk ${index} of job ${jobId}`);
    const [job, done] = await Promise.all([readVideoJob(storage, jobId, run), readChunkTimes(storage, jobId, index)]);
    // Where a chunk was not as expected, its frames and those behind have other numbers than it would give them.
    const isOver = async ({ length }: RawTimes) =>
      length === 0 ||
      (await hasFrames(storage, job, chunk)) ||
      (await joinChunkTimes(storage, jobId, chunks.length)) === undefined;
    if (done && (await isOver(done))) return { splitFrames: done.length };
    const name = inputOf(job.spec);
    const file = await localVideo(storage, jobFolder(tempFolder, jobId), name, signal, videoVersion(job));
    const times: RawTimes = [];
    const onTimes = (raw: RawTimes, findings: Findings) => {
      // As a whole it is split so that nothing is lost, and with a warning.
      if (isAsProbed(job.video, findings)) times.push(...raw);
    };
    const format = job.spec.output.frameFormat;
    const memory = new FrameMemory();
    const frames = media.splitChunk({ file, name, facts: job.video, format, chunk, memory, onTimes });
    const { first, count } = chunk;
    const chunkOf = { first, keep: 'all', chunk: { index, count }, memory } as const;
    const found = await storeFrames(storage, job, frames, chunkOf).catch((error: unknown) => {
      // Whether the file is damaged or only cannot be decoded from here on shows when it is split as a whole.
      if (error instanceof JobError && error.blame === 'user') return 0;
      throw error;
    });
    const expected = found === count && times.length === count && !times.includes(null);
    await writeChunkTimes(storage, jobId, index, expected ? times : []);
    return { splitFrames: found };
  };
}
