import { createCollectItems } from './collect-items.js';
import { createCollectPredictions } from './collect-predictions.js';
import { createEncodeChunk } from './encode-chunk.js';
import { createFindLost } from './find-lost.js';
import { createFinishJob } from './finish-job.js';
import { createGiveUpBatch } from './give-up-batch.js';
import { createLaunchBatch } from './launch-batch.js';
import { createListImages } from './list-images.js';
import { createObserveBatch } from './observe-batch.js';
import type { Ports } from './ports.js';
import { createPrepareJob } from './prepare-job.js';
import { createSettleBatch } from './settle-batch.js';
import { createSplitChunk } from './split-chunk.js';
import { createSplitVideo } from './split-video.js';
import { createStitchVideo } from './stitch-video.js';

/** All activities, by the names under which the orchestrators call them. */
export function createActivities(ports: Ports) {
  return {
    prepareJob: createPrepareJob(ports),
    splitChunk: createSplitChunk(ports),
    splitVideo: createSplitVideo(ports),
    listImages: createListImages(ports),
    launchBatch: createLaunchBatch(ports),
    observeBatch: createObserveBatch(ports),
    settleBatch: createSettleBatch(ports),
    giveUpBatch: createGiveUpBatch(ports),
    findLost: createFindLost(ports),
    encodeChunk: createEncodeChunk(ports),
    stitchVideo: createStitchVideo(ports),
    collectItems: createCollectItems(ports),
    collectPredictions: createCollectPredictions(ports),
    finishJob: createFinishJob(ports),
  };
}
