/**
 * A program: takes a prepared video through its activities, all chunks of a stage side by side, as a host does, and prints how many
 * requests each stage made. It kills itself, as kill -9 does, when a given stage makes its n-th request.
 */
import diagnostics from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { createEncodeChunk } from '../../src/activities/videos/encode-chunk.js';
import { createSplitChunk } from '../../src/activities/videos/split-chunk.js';
import { createSplitVideo } from '../../src/activities/videos/split-video.js';
import { createStitchVideo } from '../../src/activities/videos/stitch-video.js';
import { createMedia } from '../../src/media/media.js';
import { openAzurite } from './storage.js';
import { tools } from './clip.js';
import { giveUpItems } from './video-job.js';

export type VideoStage = 'splitChunk' | 'splitVideo' | 'encodeChunk' | 'stitchVideo';

export interface VideoStages {
  connection: string;
  tempFolder: string;
  jobId: string;
  frames: number;
  chunkFrames: number;
  /** 1 for a video that is split as a whole. */
  splitChunks: number;
  die?: { stage: VideoStage; request: number };
}

const job = JSON.parse(process.argv[2] ?? '') as VideoStages;
const { connection, tempFolder, jobId, frames, chunkFrames, splitChunks, die } = job;
const ports = {
  storage: openAzurite(connection),
  media: createMedia(tools),
  tempFolder,
};

const requests: Partial<Record<VideoStage, number>> = {};
let current: VideoStage = 'splitVideo';
diagnostics.subscribe('http.client.request.start', (message) => {
  // How often it says how far it is depends on the clock.
  if ((message as { request: ClientRequest }).request.path.includes('/stages/')) return;
  const made = (requests[current] ?? 0) + 1;
  requests[current] = made;
  if (die?.stage === current && die.request === made) process.kill(process.pid, 'SIGKILL');
});

async function inChunks(stage: VideoStage, chunks: number, run: (input: { jobId: string; chunk: number }) => unknown) {
  current = stage;
  if (chunks > 1) await Promise.all(Array.from({ length: chunks }, (_, chunk) => run({ jobId, chunk })));
}

await inChunks('splitChunk', splitChunks, createSplitChunk(ports));
current = 'splitVideo';
await createSplitVideo(ports)({ jobId, chunks: splitChunks });
await giveUpItems(ports.storage, jobId, [...Array(frames).keys()]);
const encode = createEncodeChunk(ports);
await inChunks('encodeChunk', Math.ceil(frames / chunkFrames), encode);
current = 'stitchVideo';
await createStitchVideo(ports)({ jobId });
console.log(JSON.stringify(requests));
