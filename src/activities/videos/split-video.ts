import type { OfRun } from '../../job/run.js';
import { counted, fewWarnings, JobError } from '../../job/failure.js';
import { FrameMemory } from '../../job/items/frame-memory.js';
import { inputOf } from '../../job/spec.js';
import { hasFrames, storeFrames } from '../../job-store/videos/frames.js';
import { jobFolder, localVideo } from '../../job-store/local-copy.js';
import { readVideoJob, type VideoJob, videoVersion } from '../../job-store/resolved-job.js';
import { type FoundFields, joinChunkTimes, readSplit, writeTimetable } from '../../job-store/videos/video-timing.js';
import {
  type Findings,
  findingsWarnings,
  splitAgain,
  type Timetable,
  type VideoFacts,
  wholeTimetable,
} from '../../media/media.js';
import type { Storage } from '../../storage/storage.js';
import type { Ports } from '../ports.js';

export interface SplitInput extends OfRun {
  /** Chunks that `splitChunk` has been through; 1 when there was no need for any. */
  chunks: number;
}

export interface SplitResult {
  frames: number;
  /** Chunks in which the scored frames are to be encoded; 1 for a short video. */
  encodeChunks: number;
  /** What only the split found out, one sentence each; left out when that is nothing. */
  warnings?: string[];
}

interface Found {
  timetable: Timetable;
  /** As the frames were made. */
  facts: VideoFacts;
  warnings: string[];
}

/**
 * Turns the video into one blob per frame, and a timetable. A second run uploads only the frames that the first one did not, and reads no
 * video where all are there. Of a
 * video that was split in chunks it only puts the times together, unless a chunk did not have the frames that it should.
 */
export function createSplitVideo({
  storage,
  media,
  tempFolder,
  signal,
}: Pick<Ports, 'storage' | 'media' | 'tempFolder' | 'signal'>) {
  return async ({ jobId, run = 1, chunks }: SplitInput): Promise<SplitResult> => {
    const job = await readVideoJob(storage, jobId, run);
    const times = chunks > 1 ? await joinChunkTimes(storage, jobId, chunks) : undefined;
    if (times) return keepTimetable(storage, job, wholeTimetable(times, job.video));
    const earlier = await readSplit(storage, jobId).catch(unlessGone);
    if (earlier && (await hasFrames(storage, job, { first: 0, count: earlier.timetable.times.length })))
      return resultOf(job, earlier.timetable);
    const name = inputOf(job.spec);
    const { onDamage } = job.spec.input;
    const format = job.spec.output.frameFormat;
    const file = await localVideo(storage, jobFolder(tempFolder, jobId), name, signal, videoVersion(job));
    // What chunks have left may have other numbers than it should, unless the video was split as a whole since.
    const kept = chunks > 1 && !earlier ? 'none' : 'all';
    // A frame that is gone is made as those beside it were: a batch may read it at once.
    const whole = await splitWhole({ ...job.video, ...earlier?.fields }, kept);
    const { interlaced, fieldOrder } = whole.facts;
    const isAsProbed = interlaced === job.video.interlaced && fieldOrder === job.video.fieldOrder;
    const fields = isAsProbed ? undefined : { interlaced, fieldOrder };
    return keepTimetable(storage, job, whole.timetable, whole.warnings, fields);

    async function splitWhole(facts: VideoFacts, keep: 'all' | 'none'): Promise<Found> {
      const found: [Timetable, Findings][] = [];
      const onTimetable = (...both: [Timetable, Findings]) => void found.push(both);
      const memory = new FrameMemory();
      const split = media.split(file, { format, facts, name, memory, keep: onDamage === 'keep', onTimetable });
      await storeFrames(storage, job, split, { first: 0, keep, memory });
      const [[timetable, findings] = []] = found;
      if (!timetable || !findings || timetable.times.length === 0)
        throw new JobError('user', `${name} has no frame that can be decoded.`);
      const again = splitAgain(facts, findings);
      const warnings = findingsWarnings(job.video, facts, findings);
      return again ? splitWhole(again, 'none') : { timetable, facts, warnings };
    }
  };
}

async function keepTimetable(
  storage: Storage,
  job: VideoJob,
  timetable: Timetable,
  found: string[] = [],
  fields?: FoundFields,
): Promise<SplitResult> {
  await writeTimetable(storage, job.jobId, timetable, fields);
  return resultOf(job, timetable, found);
}

/** A timetable that is gone is made again. */
function unlessGone(error: unknown): undefined {
  if (!(error instanceof JobError && error.blame === 'item')) throw error;
}

function resultOf({ spec, chunkFrames }: VideoJob, timetable: Timetable, found: string[] = []): SplitResult {
  const frames = timetable.times.length;
  const broken = `${inputOf(spec)} is damaged; only what is before its break is painted: ${counted(frames, 'frame')}.`;
  const warnings = fewWarnings(timetable.broken ? [...found, broken] : found);
  const result = { frames, encodeChunks: Math.ceil(frames / chunkFrames) };
  return warnings.length > 0 ? { ...result, warnings } : result;
}
