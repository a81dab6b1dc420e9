import { createHash } from 'node:crypto';
import pMap from 'p-map';
import { JobError } from '../../job/failure.js';
import {
  type Chunk,
  type Comparison,
  pack,
  type PackedTimetable,
  type RawTimes,
  type Timetable,
  unpack,
  type VideoFacts,
} from '../../media/media.js';
import { readJson, readText, type Storage, writeJson } from '../../storage/storage.js';
import { chunkTimesBlob, COMPARISON, jobOf, SPLIT_CHUNKS, TIMING } from '../layout.js';

const READS = 8;

/** Keeps where a long video is cut to be split by several activities. */
export const writeSplitChunks = (storage: Storage, jobId: string, chunks: Chunk[]) =>
  writeJson(jobOf(storage, jobId), SPLIT_CHUNKS, chunks);

/** None of a video that is split as a whole. */
export const readSplitChunks = async (storage: Storage, jobId: string): Promise<Chunk[]> =>
  (await readJson<Chunk[]>(jobOf(storage, jobId), SPLIT_CHUNKS)) ?? [];

/** Keeps when each frame of a chunk is shown; no times when the chunk had more or fewer frames than its packets promised. */
export const writeChunkTimes = (storage: Storage, jobId: string, chunk: number, times: RawTimes) =>
  writeJson(jobOf(storage, jobId), chunkTimesBlob(chunk), times);

/** Undefined before the chunk was split. */
export const readChunkTimes = (storage: Storage, jobId: string, chunk: number) =>
  readJson<RawTimes>(jobOf(storage, jobId), chunkTimesBlob(chunk));

/** The times of all frames of a video that was split in chunks; undefined when a chunk was not as expected. */
export async function joinChunkTimes(storage: Storage, jobId: string, chunks: number): Promise<RawTimes | undefined> {
  const expected = await readSplitChunks(storage, jobId);
  const indices = Array.from({ length: chunks }, (_, chunk) => chunk);
  const parts = await pMap(indices, (chunk) => readChunkTimes(storage, jobId, chunk), { concurrency: READS });
  const times = parts.flatMap((part, chunk) => (part?.length === expected[chunk]?.count ? (part ?? []) : [null]));
  return times.includes(null) ? undefined : times;
}

/** What the split of the whole video has found out about its fields, other than the probe. */
export type FoundFields = Pick<VideoFacts, 'interlaced' | 'fieldOrder'>;

/** The timetable and what tells whether it is still as it was written. */
interface StoredTimetable {
  timetable: PackedTimetable;
  /** Absent: the frames are as the probe has found them. */
  fields?: FoundFields;
  sha256: string;
}

const sha256 = ({ timetable, fields }: Omit<StoredTimetable, 'sha256'>) =>
  createHash('sha256')
    .update(JSON.stringify(fields ? [timetable, fields] : timetable))
    .digest('hex');

/** Keeps when each frame of the video is shown. @param fields by which its frames were made, where the probe has found others. */
export async function writeTimetable(
  storage: Storage,
  jobId: string,
  whole: Timetable,
  fields?: FoundFields,
): Promise<void> {
  const kept = { timetable: pack(whole), ...(fields && { fields }) };
  const stored: StoredTimetable = { ...kept, sha256: sha256(kept) };
  await writeJson(jobOf(storage, jobId), TIMING, stored);
}

/**
 * @throws JobError `item` when somebody removed or changed it: no output can be made with times that are not the video's. Splitting the
 * video makes it again.
 */
export const readTimetable = async (storage: Storage, jobId: string): Promise<Timetable> =>
  (await readSplit(storage, jobId)).timetable;

/** The same, and by which fields the frames were made, where the probe has found others. @throws JobError as `readTimetable`. */
export async function readSplit(
  storage: Storage,
  jobId: string,
): Promise<{ timetable: Timetable; fields?: FoundFields | undefined }> {
  const text = (await readText(jobOf(storage, jobId), TIMING)) ?? '';
  const stored = parseStored(text);
  if (stored?.sha256 !== undefined && stored.sha256 === sha256(stored))
    return { timetable: unpack(stored.timetable), fields: stored.fields };
  throw new JobError('item', `The timetable of job ${jobId} is ${text === '' ? 'gone' : 'damaged'}.`);
}

function parseStored(text: string): StoredTimetable | undefined {
  try {
    return JSON.parse(text) as StoredTimetable;
  } catch {
    return undefined;
  }
}

/** Keeps what was found when the output was read back and compared with its source. */
export const writeComparison = (storage: Storage, jobId: string, comparison: Comparison) =>
  writeJson(jobOf(storage, jobId), COMPARISON, comparison);

/** Undefined when nothing was stitched. */
export const readComparison = (storage: Storage, jobId: string) =>
  readJson<Comparison>(jobOf(storage, jobId), COMPARISON);
