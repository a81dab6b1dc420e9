import pMap from 'p-map';
import { counted } from '../job/counted.js';
import { JobError } from '../job/failure.js';
import { pack, type RawTimes, type Timetable, wholeTimetable } from '../media/media.js';
import { chunkTimesBlob, jobOf, mediaBlob, TIMING } from '../job-store/layout.js';
import { readJson, type Storage, writeJson } from '../storage/storage.js';
import type { SplitInput, SplitResult } from './inputs.js';
import { jobFolder, localCopy } from '../job-store/local-copy.js';
import type { Ports } from './ports.js';
import { readVideoJob, type VideoJob } from '../job-store/resolved-job.js';
import { storeFrames } from '../job-store/store-frames.js';

/**
 * Turns the video into one blob per frame, and a timetable. A second run uploads only the frames that the first one did not. Of a video
 * that was split in chunks it only puts the times together, unless a chunk did not have the frames that it should.
 */
export function createSplitVideo({ storage, media, tempFolder }: Pick<Ports, 'storage' | 'media' | 'tempFolder'>) {
  return async ({ jobId, chunks }: SplitInput): Promise<SplitResult> => {
    const job = await readVideoJob(storage, jobId);
    const times = chunks > 1 ? await joinTimes(storage, jobId, chunks) : undefined;
    if (times) return keepTimes(storage, job, wholeTimetable(times, job.video));
    const { video: name, onDamage } = job.spec.input;
    const format = job.spec.output.frameFormat;
    const file = await localCopy(mediaBlob(storage, name), jobFolder(tempFolder, jobId), 'source');
    const timetables: Timetable[] = [];
    const onTimetable = (timetable: Timetable) => void timetables.push(timetable);
    const split = media.split(file, { format, facts: job.video, name, keep: onDamage === 'keep', onTimetable });
    // What chunks have left may have other numbers than it should.
    const keep = chunks > 1 ? 'none' : 'all';
    await storeFrames(storage, job, split, { first: 0, keep });
    const [timetable] = timetables;
    if (!timetable || timetable.times.length === 0)
      throw new JobError('user', `${name} has no frame that can be decoded.`);
    return keepTimes(storage, job, timetable);
  };
}

async function keepTimes(storage: Storage, { jobId, spec }: VideoJob, timetable: Timetable): Promise<SplitResult> {
  await writeJson(jobOf(storage, jobId), TIMING, pack(timetable));
  const frames = timetable.times.length;
  if (!timetable.broken) return { frames };
  const { input } = spec;
  return {
    frames,
    warning: `${input.video} is damaged; only what is before its break is painted: ${counted(frames, 'frame')}.`,
  };
}

/** The times of all frames; undefined when a chunk was not as expected. */
async function joinTimes(storage: Storage, jobId: string, chunks: number): Promise<RawTimes | undefined> {
  const indices = Array.from({ length: chunks }, (_, chunk) => chunk);
  const read = (chunk: number) => readJson<RawTimes>(jobOf(storage, jobId), chunkTimesBlob(chunk));
  const parts = await pMap(indices, read, { concurrency: 8 });
  return parts.some((part) => !part || part.length === 0) ? undefined : parts.flatMap((part) => part ?? []);
}
