import pMap from 'p-map';
import { JobError } from '../job/failure.js';
import { pack, type Timetable } from '../media/media.js';
import { frameBlob, frameIndex, FRAMES_PREFIX, TIMING } from '../storage/layout.js';
import { jobOf, mediaBlob, type Storage, workOf, writeJson } from '../storage/storage.js';
import type { SplitResult } from './inputs.js';
import { jobFolder, localCopy } from './local-copy.js';
import type { Ports } from './ports.js';
import { readVideoJob } from './resolved-job.js';
import { createStageProgress } from './stage-progress.js';

/** Uploads that wait for storage at the same time; ffmpeg is held back when all are busy. */
const UPLOADS = 6;

/** Turns the video into one blob per frame, and a timetable. A second run uploads only the frames that the first one did not. */
export function createSplitVideo({ storage, media, tempFolder }: Pick<Ports, 'storage' | 'media' | 'tempFolder'>) {
  return async ({ jobId }: { jobId: string }): Promise<SplitResult> => {
    const job = await readVideoJob(storage, jobId);
    const format = job.spec.output.frameFormat;
    const file = await localCopy(mediaBlob(storage, job.spec.input.video), jobFolder(tempFolder, jobId), 'source');
    const progress = createStageProgress(jobOf(storage, jobId), 'split', job.video.framesEstimate);
    const there = await uploaded(storage, jobId);
    let frames = 0;
    const timetables: Timetable[] = [];
    const onTimetable = (timetable: Timetable) => void timetables.push(timetable);
    await pMap(
      numbered(media.split(file, { format, facts: job.video, name: job.spec.input.video, onTimetable })),
      async ({ index, frame }) => {
        if (!there.has(index)) await uploadFrame(storage, jobId, frameBlob(index, format), frame);
        frames += 1;
        progress.report(frames);
      },
      { concurrency: UPLOADS },
    );
    await progress.settled();
    if (frames === 0) throw new JobError('user', `${job.spec.input.video} has no frame that can be decoded.`);
    if (timetables[0]) await writeJson(jobOf(storage, jobId), TIMING, pack(timetables[0]));
    return { frames };
  };
}

/** Indices of the frames that an earlier run has uploaded; a blob is there whole or not at all. */
async function uploaded(storage: Storage, jobId: string): Promise<Set<number>> {
  const there = new Set<number>();
  for await (const { name } of workOf(storage, jobId).listBlobsFlat({ prefix: FRAMES_PREFIX })) {
    const index = frameIndex(name);
    if (index !== undefined) there.add(index);
  }
  return there;
}

async function* numbered(frames: AsyncIterable<Buffer>) {
  let index = 0;
  for await (const frame of frames) {
    yield { index, frame };
    index += 1;
  }
}

async function uploadFrame(storage: Storage, jobId: string, name: string, frame: Buffer): Promise<void> {
  const blobContentType = name.endsWith('.png') ? 'image/png' : 'image/jpeg';
  await workOf(storage, jobId)
    .getBlockBlobClient(name)
    .upload(frame, frame.length, { blobHTTPHeaders: { blobContentType } });
}
