import { listMetadata, type Storage, writeJson } from '../storage/storage.js';
import { jobOf, type OwnStage, stageProgressBlob, stageProgressPrefix } from './layout.js';

const INTERVAL_MS = 500;

/**
 * Lets an activity that handles many items itself say how far it is: at most twice a second, never waiting for the upload.
 * @param chunk of a long video, whose chunks are handled side by side; 0 for a whole input.
 */
export function createStageProgress(storage: Storage, jobId: string, stage: OwnStage, chunk = 0) {
  const container = jobOf(storage, jobId);
  let last = 0;
  let pending: Promise<void> = Promise.resolve();
  return {
    report: (items: number): void => {
      const now = Date.now();
      if (now - last < INTERVAL_MS) return;
      last = now;
      // Progress is a courtesy: a lost report must not fail the stage.
      pending = pending
        .then(() => writeJson(container, stageProgressBlob(stage, chunk), { done: items }, { done: String(items) }))
        .catch(() => undefined);
    },
    settled: () => pending,
  };
}

/** Items that a stage has reported as handled, over all its chunks. */
export async function readStageDone(storage: Storage, jobId: string, stage: OwnStage): Promise<number> {
  let total = 0;
  for await (const { metadata } of listMetadata(jobOf(storage, jobId), stageProgressPrefix(stage)))
    total += Number(metadata.done ?? 0);
  return total;
}
