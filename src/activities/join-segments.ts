import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import pMap from 'p-map';
import { chunkAt } from '../job/chunks.js';
import { partOf, type Timetable } from '../media/media.js';
import { segmentBlob, workOf } from '../job-store/layout.js';
import { type Storage } from '../storage/storage.js';
import { localCopy } from '../job-store/local-copy.js';
import type { Ports } from './ports.js';
import type { VideoJob } from '../job-store/resolved-job.js';

const DOWNLOADS = 4;

interface JoinFiles {
  folder: string;
  source: string;
  output: string;
}

/** Puts what `encodeChunk` made of the frames together, with the sound of the source. */
export async function joinSegments(
  { storage, media }: { storage: Storage; media: Ports['media'] },
  job: VideoJob,
  timetable: Timetable,
  chunkFrames: number,
  { folder, source, output }: JoinFiles,
): Promise<void> {
  const { jobId, video: facts, spec } = job;
  const parts = path.join(folder, 'segments');
  const frames = timetable.times.length;
  const indices = Array.from({ length: Math.ceil(frames / chunkFrames) }, (_, chunk) => chunk);
  try {
    await mkdir(parts, { recursive: true });
    const fetch = async (chunk: number) => {
      const blob = workOf(storage, jobId).getBlobClient(segmentBlob(chunk));
      const [first = 0] = partOf(timetable, chunkAt(chunk, frames, chunkFrames)).times;
      return { file: await localCopy(blob, parts, `${chunk}.mov`), first };
    };
    const segments = await pMap(indices, fetch, { concurrency: DOWNLOADS });
    await media.join({ segments, timetable, source, facts, output, codec: spec.output.codec });
  } finally {
    await rm(parts, { recursive: true, force: true });
  }
}
