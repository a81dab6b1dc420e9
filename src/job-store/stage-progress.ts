import { pauseAtAge } from '../job/progress.js';
import { createJson, readJson, type Storage, writeJson } from '../storage/storage.js';
import { jobOf, type OwnStage, stageProgressBlob } from './layout.js';

/**
 * Lets an activity that handles many items itself say how far it is: at most every two seconds, never waiting for the upload. An activity
 * that begins anew says nothing until it is further than the one before, so that the number never falls.
 * @param chunk of a long video, whose chunks are handled side by side; undefined for a whole input.
 */
export function createStageProgress(storage: Storage, jobId: string, stage: OwnStage, chunk?: number) {
  const container = jobOf(storage, jobId);
  const name = stageProgressBlob(stage, chunk);
  const tell = chunk === undefined ? seenHere(storage, jobId, stage) : undefined;
  tell?.(0);
  const began = performance.now();
  let nextAt = began;
  let most: number | undefined;
  const write = async (items: number) => {
    const record = [{ done: items }, { done: String(items) }] as const;
    if (most === undefined && (await createJson(container, name, ...record))) most = items;
    most ??= (await readJson<{ done: number }>(container, name))?.done ?? 0;
    if (items <= most) return;
    most = items;
    await writeJson(container, name, ...record);
  };
  let pending: Promise<void> = Promise.resolve();
  return {
    report: (items: number): void => {
      tell?.(items);
      const now = performance.now();
      if (now < nextAt) return;
      nextAt = now + pauseAtAge((now - began) / 1000) * 1000;
      // Progress is a courtesy: a lost report must not fail the stage.
      pending = pending.then(() => write(items)).catch(() => undefined);
    },
    settled: () => pending,
  };
}

interface Here {
  stage: OwnStage;
  done: number;
  /** Milliseconds since the epoch. */
  at: number;
}

const MOST_REMEMBERED = 64;
/** By job, the stage that this process itself has handled last as a whole; the latest is last. */
const here = new WeakMap<Storage, Map<string, Here>>();

function seenHere(storage: Storage, jobId: string, stage: OwnStage): (items: number) => void {
  const jobs = here.get(storage) ?? new Map<string, Here>();
  here.set(storage, jobs);
  return (done) => {
    jobs.delete(jobId);
    jobs.set(jobId, { stage, done, at: Date.now() });
    const [oldest] = jobs.keys();
    if (jobs.size > MOST_REMEMBERED && oldest !== undefined) jobs.delete(oldest);
  };
}

/** How far a stage is that this process handles, or has handled, as a whole; undefined of any other. */
export function stageHere(storage: Storage, jobId: string, stage: OwnStage): Omit<Here, 'stage'> | undefined {
  const known = here.get(storage)?.get(jobId);
  return known?.stage === stage ? known : undefined;
}

/** Items in a report, read from its metadata. */
export const stageDoneOf = (metadata: Record<string, string>): number => Number(metadata.done ?? 0);
