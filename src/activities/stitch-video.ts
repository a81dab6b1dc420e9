import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { JobError } from '../job/failure.js';
import { endingOf } from '../job/output.js';
import { type PackedTimetable, type Timetable, unpack } from '../media/media.js';
import { COMPARISON, CONTACT_SHEET, jobOf, mediaBlob, splitPath, TIMING, workOf } from '../job-store/layout.js';
import { readJson, type Storage, writeJson } from '../storage/storage.js';
import type { StitchInput, StitchResult } from './inputs.js';
import { joinSegments } from './join-segments.js';
import { diskError, jobFolder, localCopy, ownFolder } from '../job-store/local-copy.js';
import type { Ports } from './ports.js';
import { readVideoJob, type VideoJob } from '../job-store/resolved-job.js';
import { frameOrSource, scoredFrames, sourceFrame } from '../job-store/scored-frames.js';

const CONTACT_SHEET_PAIRS = 4;
const CONTENT_TYPES: Record<string, string> = {
  '.mov': 'video/quicktime',
  '.mkv': 'video/x-matroska',
  '.webm': 'video/webm',
};

/** Puts the scored frames, the original timing and the original audio together, and uploads the result whole. */
export function createStitchVideo({ storage, media, tempFolder }: Pick<Ports, 'storage' | 'media' | 'tempFolder'>) {
  return async ({ jobId, frames, chunkFrames }: StitchInput): Promise<StitchResult> => {
    const job = await readVideoJob(storage, jobId);
    const folder = jobFolder(tempFolder, jobId);
    const source = await localCopy(mediaBlob(storage, job.spec.input.video), folder, 'source');
    const packed = await readJson<PackedTimetable>(jobOf(storage, jobId), TIMING);
    if (!packed) throw new JobError('user', `The timetable of job ${jobId} is gone; start the job again.`);
    const timetable = unpack(packed);
    const own = await ownFolder(folder, 'stitch-');
    const output = path.join(own, `stitched${path.extname(job.output) || '.mp4'}`);
    const stitching = stitch({ storage, media, chunkFrames }, job, { frames, timetable, folder: own, source, output });
    const sheet = path.join(own, CONTACT_SHEET);
    // Both are waited for whatever happens, so that no ffmpeg is left behind.
    const results = await Promise.allSettled([stitching, uploadContactSheet(storage, job, frames, media, sheet)]);
    await rm(own, { recursive: true, force: true });
    for (const result of results) if (result.status === 'rejected') throw diskError(result.reason, folder);
    return { output: job.output, bytes: await stitching };
  };
}

interface StitchFiles {
  frames: number;
  timetable: Timetable;
  folder: string;
  source: string;
  output: string;
}

/** @returns the size of the stored output in bytes. */
async function stitch(
  { storage, media, chunkFrames }: Pick<Ports, 'storage' | 'media'> & { chunkFrames: number },
  job: VideoJob,
  { frames, timetable, folder, source, output }: StitchFiles,
): Promise<number> {
  if (frames > chunkFrames) {
    await joinSegments({ storage, media }, job, timetable, chunkFrames, { folder, source, output });
  } else {
    const { frameFormat: format, codec, quality } = job.spec.output;
    const scored = scoredFrames(storage, job, { first: 0, count: frames });
    await media.stitch({ frames: scored, format, source, facts: job.video, timetable, output, codec, quality });
  }
  await check(storage, job, media, { source, timetable, output });
  return upload(storage, job.output, output);
}

/**
 * Reads the output back before it counts as done, and keeps what was found for the manifest.
 * @throws JobError `user` when a frame, a time or a sound packet is not as it should be.
 */
async function check(
  storage: Storage,
  job: VideoJob,
  media: Ports['media'],
  files: { source: string; timetable: Timetable; output: string },
): Promise<void> {
  const comparison = await media.compare({ ...files, facts: job.video });
  await writeJson(jobOf(storage, job.jobId), COMPARISON, comparison);
  const { problems } = comparison;
  if (problems.length > 0)
    throw new JobError(
      'user',
      `The output ${job.output} is not like its source, so it is not kept: ${problems.join(' ')}`,
    );
}

async function upload(storage: Storage, target: string, file: string): Promise<number> {
  const { container, blob } = splitPath(target);
  const client = storage.media.getContainerClient(container);
  await client.createIfNotExists();
  await client
    .getBlockBlobClient(blob)
    .uploadFile(file, { blobHTTPHeaders: { blobContentType: CONTENT_TYPES[endingOf(target)] ?? 'video/mp4' } });
  return (await stat(file)).size;
}

async function uploadContactSheet(
  storage: Storage,
  job: VideoJob,
  frames: number,
  media: Ports['media'],
  file: string,
): Promise<void> {
  const work = workOf(storage, job.jobId);
  const count = Math.min(CONTACT_SHEET_PAIRS, frames);
  const indices = Array.from({ length: count }, (_, k) => Math.floor(((2 * k + 1) * frames) / (2 * count)));
  const pairs = await Promise.all(
    indices.map(async (index) => {
      const [before, after] = await Promise.all([sourceFrame(work, job, index), frameOrSource(work, job, index)]);
      return { before, after };
    }),
  );
  await media.contactSheet(pairs, file);
  await jobOf(storage, job.jobId)
    .getBlockBlobClient(CONTACT_SHEET)
    .uploadFile(file, { blobHTTPHeaders: { blobContentType: 'image/png' } });
}
