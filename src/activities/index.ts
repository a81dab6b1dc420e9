import type { OfRun } from '../job/run.js';
import { createCollectItems } from './images/collect-items.js';
import { createCollectPredictions } from './images/collect-predictions.js';
import { createEncodeChunk } from './videos/encode-chunk.js';
import { createFindLost } from './videos/find-lost.js';
import { createFinishJob } from './finish-job.js';
import { createHelpBatch } from './batches/help-batch.js';
import { createGiveUpBatch } from './batches/give-up-batch.js';
import { createLaunchBatch } from './batches/launch-batch.js';
import { createListImages } from './images/list-images.js';
import { createMendFrames } from './videos/mend-frames.js';
import { createMeasureFrames } from './images/measure-frames.js';
import { createLookForItems } from './images/look-for-items.js';
import { createNotify } from './notify.js';
import { createObserveBatch } from './batches/observe-batch.js';
import { unlessStopped } from '../job-store/stop.js';
import type { Invocation, Ports } from './ports.js';
import { createPrepareJob } from './prepare/prepare-job.js';
import { KnownModels } from './prepare/resolve-inputs.js';
import { createSettleBatch } from './batches/settle-batch.js';
import { createSplitChunk } from './videos/split-chunk.js';
import { createSplitVideo } from './videos/split-video.js';
import { createStitchVideo } from './videos/stitch-video.js';
import { createTakePlace } from './take-place.js';

/**
 * Makes an activity that may take long: it ends soon after its job was stopped, with the reason. What it runs is killed then.
 * @param create makes the activity on ports that fail when their signal is aborted.
 */
const stoppable =
  <Input extends OfRun, Result>(
    ports: Ports,
    create: (ports: Ports) => (input: Input, invocation?: Invocation) => Promise<Result>,
  ): ((input: Input, invocation?: Invocation) => Promise<Result>) =>
  (input, invocation) =>
    unlessStopped(
      ports.storage,
      input.jobId,
      (signal) => create({ ...ports, media: ports.media.stoppedBy(signal), signal })(input, invocation),
      input.run,
    );

/** All activities, by the names under which the orchestrators call them. */
export function createActivities(ports: Ports) {
  const known = new KnownModels();
  return {
    lookForItems: stoppable(ports, createLookForItems),
    takePlace: stoppable(ports, createTakePlace),
    prepareJob: stoppable(ports, (each) => createPrepareJob(each, known)),
    splitChunk: stoppable(ports, createSplitChunk),
    splitVideo: stoppable(ports, createSplitVideo),
    listImages: stoppable(ports, createListImages),
    measureFrames: stoppable(ports, createMeasureFrames),
    launchBatch: createLaunchBatch(ports),
    helpBatch: createHelpBatch(ports),
    observeBatch: createObserveBatch(ports),
    settleBatch: createSettleBatch(ports),
    giveUpBatch: createGiveUpBatch(ports),
    mendFrames: createMendFrames(ports),
    findLost: stoppable(ports, createFindLost),
    encodeChunk: stoppable(ports, createEncodeChunk),
    stitchVideo: stoppable(ports, createStitchVideo),
    collectItems: stoppable(ports, createCollectItems),
    collectPredictions: stoppable(ports, createCollectPredictions),
    finishJob: createFinishJob(ports),
    notify: createNotify(ports),
  };
}
