import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { OfRun } from '../../job/run.js';
import { mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import pMap from 'p-map';
import { chunkAt } from '../../job/plan.js';
import { JobError } from '../../job/failure.js';
import { contentTypeOf } from '../../job/items/formats.js';
import { readFills, readFramesToShow, readFrameToShow, readSourceFrame } from '../../job-store/videos/frames.js';
import { CONTACT_SHEET, jobOf, segmentBlob, splitPath, workOf } from '../../job-store/layout.js';
import { diskError, jobFolder, localCopy, localSource, ownFolder } from '../../job-store/local-copy.js';
import { writeDelivered } from '../../job-store/manifest.js';
import { deliver } from '../../job-store/outputs.js';
import { keepThumbnail } from '../../job-store/list/thumbnail.js';
import { readVideoJob, type VideoJob } from '../../job-store/resolved-job.js';
import { readTimetable, writeComparison } from '../../job-store/videos/video-timing.js';
import { partOf, type Timetable } from '../../media/media.js';
import type { Storage } from '../../storage/storage.js';
import type { Ports } from '../ports.js';

const CONTACT_SHEET_PAIRS = 4;
const SEGMENT_DOWNLOADS = 4;

export interface StitchedVideo {
  /** Path of the video in the media account. */
  output: string;
  bytes: number;
}

type StitchPorts = Pick<Ports, 'storage' | 'media' | 'signal'>;

/** Puts the scored frames, the original timing and the original audio together, and uploads the result whole. */
export function createStitchVideo(ports: StitchPorts & Pick<Ports, 'tempFolder'>) {
  const { storage, media } = ports;
  return async ({ jobId, run = 1 }: OfRun): Promise<StitchedVideo> => {
    const [job, timetable] = await Promise.all([readVideoJob(storage, jobId, run), readTimetable(storage, jobId)]);
    const folder = jobFolder(ports.tempFolder, jobId);
    const source = await localSource(storage, folder, job, ports.signal);
    const own = await ownFolder(folder, 'stitch-');
    const output = path.join(own, `stitched${path.extname(job.output) || '.mp4'}`);
    try {
      let pictures: Promise<PromiseSettledResult<void>[]> | undefined;
      const draw = (shown: Map<number, Buffer>) => {
        const sheet = uploadContactSheet(storage, media, job, shown, path.join(own, CONTACT_SHEET));
        pictures = Promise.allSettled([sheet, keepThumbnail(ports, jobId, () => Promise.resolve(middleOf(shown)))]);
      };
      const delivery = stitch(ports, job, timetable, { folder: own, source, output }, draw)
        .then(() => check(ports, job, { source, timetable, output }))
        .then(() => upload(storage, job, output, ports.signal));
      // All are waited for whatever happens, so that no ffmpeg is left behind.
      await Promise.allSettled([delivery]);
      const failed = (await pictures)?.find(({ status }) => status === 'rejected');
      const bytes = await delivery;
      if (failed?.status === 'rejected') throw failed.reason;
      return { output: job.output, bytes };
    } catch (error) {
      throw diskError(error, folder);
    } finally {
      await rm(own, { recursive: true, force: true });
    }
  };
}

interface StitchFiles {
  folder: string;
  source: string | undefined;
  output: string;
}

/**
 * Makes the output file.
 * @param draw gets the frames of the contact sheet as they are shown, as soon as the last of them has passed
 */
async function stitch(
  { storage, media, signal }: StitchPorts,
  job: VideoJob,
  timetable: Timetable,
  files: StitchFiles,
  draw: (shown: Map<number, Buffer>) => void,
): Promise<void> {
  const { source, output } = files;
  const frames = timetable.times.length;
  const indices = contactSheetFrames(frames);
  if (frames > job.chunkFrames) {
    await joinSegments({ storage, media, signal }, job, timetable, files);
    const fills = await readFills(storage, job);
    const read = async (index: number) => [index, await readFrameToShow(storage, job, index, fills)] as const;
    draw(new Map(await Promise.all(indices.map(read))));
    return;
  }
  const { others, video: facts, shape } = job;
  const { frameFormat: format, codec, quality } = job.spec.output;
  const toShow = keeping(indices, readFramesToShow(storage, job, { first: 0, count: frames }), draw);
  await media.stitch({ frames: toShow, format, source, facts, shape, timetable, others, output, codec, quality });
}

/** Keeps the frames with some of the numbers, from 0 and ascending, as they pass. @param onAll gets them once the last has passed */
async function* keeping(
  indices: number[],
  frames: AsyncIterable<Buffer>,
  onAll: (kept: Map<number, Buffer>) => void,
): AsyncGenerator<Buffer> {
  const kept = new Map<number, Buffer>();
  let index = 0;
  for await (const frame of frames) {
    if (indices.includes(index)) {
      // Its memory is used for others once the next frame is asked for.
      kept.set(index, Buffer.from(frame));
      if (kept.size === indices.length) onAll(kept);
    }
    index += 1;
    yield frame;
  }
}

/** Puts what `encodeChunk` made of the frames together, with the sound of the source. */
async function joinSegments(
  { storage, media, signal }: StitchPorts,
  { jobId, video: facts, others, spec, chunkFrames }: VideoJob,
  timetable: Timetable,
  { folder, source, output }: StitchFiles,
): Promise<void> {
  const parts = path.join(folder, 'segments');
  const frames = timetable.times.length;
  const indices = Array.from({ length: Math.ceil(frames / chunkFrames) }, (_, chunk) => chunk);
  try {
    await mkdir(parts, { recursive: true });
    const fetch = async (chunk: number) => {
      const blob = workOf(storage, jobId).getBlobClient(segmentBlob(chunk));
      const [first = 0] = partOf(timetable, chunkAt(chunk, frames, chunkFrames)).times;
      const gone = new JobError('item', `The encoded part ${blob.containerName}/${blob.name} is gone.`);
      return { file: await localCopy(blob, parts, `${chunk}.mov`, gone, signal), first };
    };
    const segments = await pMap(indices, fetch, { concurrency: SEGMENT_DOWNLOADS });
    await media.join({ segments, timetable, source, facts, others, output, codec: spec.output.codec });
  } finally {
    await rm(parts, { recursive: true, force: true });
  }
}

/**
 * Reads the output back before it counts as done, and keeps what was found for the manifest.
 * @throws JobError `user` when a frame, a time or a sound packet is not as it should be.
 */
async function check(
  { storage, media }: StitchPorts,
  job: VideoJob,
  files: { source: string | undefined; timetable: Timetable; output: string },
): Promise<void> {
  const comparison = await media.compare({ ...files, facts: job.video, others: job.others });
  await writeComparison(storage, job.jobId, comparison);
  const { problems } = comparison;
  if (problems.length > 0)
    throw new JobError(
      'user',
      `The output ${job.output} is not like its source, so it is not kept: ${problems.join(' ')}`,
    );
}

async function upload(
  storage: Storage,
  { jobId, output, spec }: VideoJob,
  file: string,
  signal?: AbortSignal,
): Promise<number> {
  await storage.media.getContainerClient(splitPath(output).container).createIfNotExists();
  const blobHTTPHeaders = { blobContentType: contentTypeOf(output) };
  const place = { jobId, output, overwrite: spec.output.overwrite };
  const stopping = signal ? { abortSignal: signal } : {};
  await deliver(storage, place, (target, options) =>
    target.uploadFile(file, { blobHTTPHeaders, ...options, ...stopping }),
  );
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const { size: bytes } = await stat(file);
  await writeDelivered(storage, jobId, 'video', [{ path: output, bytes, sha256: hash.digest('hex') }]);
  return bytes;
}

const middleOf = (shown: Map<number, Buffer>) => [...shown.values()][Math.floor(shown.size / 2)];

/** Which frames the contact sheet shows: the middles of equal parts. */
function contactSheetFrames(frames: number): number[] {
  const count = Math.min(CONTACT_SHEET_PAIRS, frames);
  return Array.from({ length: count }, (_, k) => Math.floor(((2 * k + 1) * frames) / (2 * count)));
}

async function uploadContactSheet(
  storage: Storage,
  media: Ports['media'],
  job: VideoJob,
  shown: Map<number, Buffer>,
  file: string,
): Promise<void> {
  const pair = async ([index, after]: [number, Buffer]) => ({
    before: await readSourceFrame(storage, job, index),
    after,
  });
  try {
    await media.contactSheet(await Promise.all([...shown].map(pair)), file);
  } catch (error) {
    // A file that is a frame may be of a kind that ffmpeg does not read, or broken: the video is not to fail for that.
    if (job.images !== undefined && error instanceof JobError && error.blame === 'user') return;
    throw error;
  }
  await jobOf(storage, job.jobId)
    .getBlockBlobClient(CONTACT_SHEET)
    .uploadFile(file, { blobHTTPHeaders: { blobContentType: contentTypeOf(CONTACT_SHEET) } });
}
