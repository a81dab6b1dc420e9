import type { Share } from '../../container-contract/share.js';
import { idleContainers } from '../../job/attempts/stragglers.js';
import { changeJson, readJson, type Storage } from '../../storage/storage.js';
import { HELPERS, jobOf, shareBlob } from '../layout.js';
import { isOver, readNow, seeOver } from '../now.js';

/** Who scores which items of a batch since an attempt was launched; undefined before that one has heard that somebody helps. */
export const readShare = (storage: Storage, jobId: string, batch: number, attempt: number) =>
  readJson<Share>(jobOf(storage, jobId), shareBlob(batch, attempt));

interface Helper {
  batch: number;
  attempt: number;
}

/**
 * Takes the place of one of the job's idle containers for one that helps a batch, unless there is none left; one that has a place keeps it.
 * @param run how many containers the job may run, and how many batches are scored in this run.
 */
export async function takeHelperPlace(
  storage: Storage,
  jobId: string,
  { batch, attempt }: Helper,
  run: { parallel: number; batches: number },
): Promise<boolean> {
  const over = new Set((await readNow(storage, jobId)).settled.filter(isOver).map((each) => each.batch));
  const idle = idleContainers({ ...run, over: over.size });
  const isSame = (each: Helper) => each.batch === batch && each.attempt === attempt;
  const helpers = await changeJson<Helper[] | undefined>(jobOf(storage, jobId), HELPERS, (before) => {
    if (before?.some(isSame)) return before;
    // Of batches that are over none may be left.
    const others = before?.filter((each) => !over.has(each.batch)) ?? [];
    return others.length < idle ? [...others, { batch, attempt }] : before;
  });
  return helpers?.some(isSame) === true;
}

/** Gives back the place of one that was to help a batch, or of all of them. */
export async function giveHelperPlaces(
  storage: Storage,
  jobId: string,
  batch: number,
  attempt?: number,
): Promise<void> {
  const isGiven = (each: Helper) => each.batch === batch && (attempt === undefined || each.attempt === attempt);
  await changeJson<Helper[] | undefined>(jobOf(storage, jobId), HELPERS, (before) =>
    before?.some(isGiven) ? before.filter((each) => !isGiven(each)) : before,
  );
}

/** How many containers the job seems to have idle; from what was seen of it a while ago, so ask for a place before one is used. */
export async function seeIdle(
  storage: Storage,
  jobId: string,
  run: { parallel: number; batches: number },
  mostMs: number,
): Promise<number> {
  const idle = idleContainers({ ...run, over: await seeOver(storage, jobId, mostMs) });
  if (idle === 0) return 0;
  const helpers = (await readJson<Helper[]>(jobOf(storage, jobId), HELPERS)) ?? [];
  return Math.max(0, idle - helpers.length);
}
