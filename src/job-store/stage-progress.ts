import { pauseAtAge } from '../job/progress.js';
import { readJson, type Storage, writeJson } from '../storage/storage.js';
import { jobOf, type OwnStage, stageProgressBlob } from './layout.js';

/**
 * Lets an activity that handles many items itself say how far it is: at most every two seconds, never waiting for the upload. An activity
 * that begins anew says nothing until it is further than the one before, so that the number never falls.
 * @param chunk of a long video, whose chunks are handled side by side; 0 for a whole input.
 */
export function createStageProgress(storage: Storage, jobId: string, stage: OwnStage, chunk = 0) {
  const container = jobOf(storage, jobId);
  const name = stageProgressBlob(stage, chunk);
  const began = performance.now();
  let nextAt = began;
  let most: number | undefined;
  const write = async (items: number) => {
    most ??= (await readJson<{ done: number }>(container, name))?.done ?? 0;
    if (items <= most) return;
    most = items;
    await writeJson(container, name, { done: items }, { done: String(items) });
  };
  let pending: Promise<void> = Promise.resolve();
  return {
    report: (items: number): void => {
      const now = performance.now();
      if (now < nextAt) return;
      nextAt = now + pauseAtAge((now - began) / 1000) * 1000;
      // Progress is a courtesy: a lost report must not fail the stage.
      pending = pending.then(() => write(items)).catch(() => undefined);
    },
    settled: () => pending,
  };
}

/** Items in a report, read from its metadata. */
export const stageDoneOf = (metadata: Record<string, string>): number => Number(metadata.done ?? 0);
