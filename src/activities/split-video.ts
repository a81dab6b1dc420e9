import pMap from 'p-map';
import { JobError } from '../job/failure.js';
import { frameBlob } from '../storage/layout.js';
import { jobOf, mediaBlob, type Storage, workOf } from '../storage/storage.js';
import type { SplitResult } from './inputs.js';
import { jobFolder, localCopy } from './local-copy.js';
import type { Ports } from './ports.js';
import { readResolvedJob } from './resolved-job.js';
import { createStageProgress } from './stage-progress.js';

/** Uploads that wait for storage at the same time; ffmpeg is held back when all are busy. */
const UPLOADS = 6;

/** Turns the video into one blob per frame. A second run writes the same blobs again. */
export function createSplitVideo({ storage, media, tempFolder }: Pick<Ports, 'storage' | 'media' | 'tempFolder'>) {
  return async ({ jobId }: { jobId: string }): Promise<SplitResult> => {
    const job = await readResolvedJob(storage, jobId);
    const format = job.spec.output.frameFormat;
    const file = await localCopy(mediaBlob(storage, job.spec.input.video), jobFolder(tempFolder, jobId), 'source');
    const progress = createStageProgress(jobOf(storage, jobId), 'split', job.video.framesEstimate);
    let frames = 0;
    await pMap(
      numbered(media.split(file, { format, facts: job.video, name: job.spec.input.video })),
      async ({ index, frame }) => {
        await uploadFrame(storage, jobId, frameBlob(index, format), frame);
        frames += 1;
        progress.report(frames);
      },
      { concurrency: UPLOADS },
    );
    await progress.settled();
    if (frames === 0) throw new JobError('user', `${job.spec.input.video} has no frame that can be decoded.`);
    return { frames };
  };
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
