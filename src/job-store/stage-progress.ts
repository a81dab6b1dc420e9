import type { ContainerClient } from '@azure/storage-blob';
import { type OwnStage, stageProgressBlob } from './layout.js';
import { writeJson } from '../storage/storage.js';

const INTERVAL_MS = 500;

/** Lets an activity that handles many items say how far it is: at most twice a second, never waiting for the upload. */
export function createStageProgress(container: ContainerClient, stage: OwnStage, chunk?: number) {
  let last = 0;
  let pending: Promise<void> = Promise.resolve();
  return {
    report: (frames: number): void => {
      const now = Date.now();
      if (now - last < INTERVAL_MS) return;
      last = now;
      // Progress is a courtesy: a lost report must not fail the stage.
      pending = pending
        .then(() => writeJson(container, stageProgressBlob(stage, chunk), { done: frames }, { done: String(frames) }))
        .catch(() => undefined);
    },
    settled: () => pending,
  };
}
