import { chunkFrames } from '../job/chunks.js';
import type { VideoFacts } from '../media/media.js';
import { jobOf, SPLIT_CHUNKS } from '../job-store/layout.js';
import { writeJson } from '../storage/storage.js';
import type { Prepared } from './inputs.js';
import type { Ports } from './ports.js';

/** Cuts a video that is too long for one activity; of a short one nothing is read. */
export async function planChunks(
  { storage, media, chunkFrames: set }: Pick<Ports, 'storage' | 'media' | 'chunkFrames'>,
  jobId: string,
  file: string,
  video: VideoFacts,
): Promise<Pick<Prepared, 'chunkFrames' | 'splitChunks'>> {
  const most = set ?? chunkFrames(video);
  if (video.framesEstimate <= most || video.damaged) return { chunkFrames: most, splitChunks: 1 };
  const chunks = await media.findChunks(file, video, most);
  await writeJson(jobOf(storage, jobId), SPLIT_CHUNKS, chunks);
  return { chunkFrames: most, splitChunks: Math.max(1, chunks.length) };
}
