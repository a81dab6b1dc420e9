import { readJson, type Storage, writeJson } from '../storage/storage.js';
import { jobOf, type OwnStage, stageProgressBlob } from './layout.js';

const INTERVAL_MS = 500;

/**
 * Lets an activity that handles many items itself say how far it is: at most twice a second, never waiting for the upload. An activity
 * that begins anew says nothing until it is further than the one before, so that the number never falls.
 * @param chunk of a long video, whose chunks are handled side by side; 0 for a whole input.
 */
export function createStageProgress(storage: Storage, jobId: string, stage: OwnStage, chunk = 0) {
  const container = jobOf(storage, jobId);
  const name = stageProgressBlob(stage, chunk);
  let last = 0;
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
      const now = Date.now();
      if (now - last < INTERVAL_MS) return;
      last = now;
      // Progress is a courtesy: a lost report must not fail the stage.
      pending = pending.then(() => write(items)).catch(() => undefined);
    },
    settled: () => pending,
  };
}

/** Items in a report, read from its metadata. */
export const stageDoneOf = (metadata: Record<string, string>): number => Number(metadata.done ?? 0);
