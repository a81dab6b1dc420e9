import type { Losses } from '../../job/tolerance.js';
import type { Storage } from '../../storage/storage.js';
import { listSettled } from './settled.js';

/** What one batch has lost: `failed` includes what it left behind when it was given up, which is `missing`. */
export interface Loss {
  batch: number;
  failed: number;
  missing: number;
}

/** What a process knows of the batches of a job that have lost something. */
interface Seen {
  lost: Map<number, Loss>;
  /** Settled batches that the last listing told of. */
  listed: number;
  /** How often this process has told of a loss since then. */
  since: number;
}

/** All batches are listed again once this process has told of losses as often as that part of the last listing. */
const LISTED_AGAIN = 1 / 8;
const MOST_REMEMBERED = 64;

const seen = new WeakMap<Storage, Map<string, Seen>>();

/**
 * What the batches of a job have lost in all, by what this process has seen and told of: with its settled batches listed each time anew, a
 * job would ask for as many records as the square of its batches. Whatever is too much is found out from storage itself, and what other
 * processes tell of is seen a little later.
 * @param own is in storage already.
 * @param isTooMuch whether it matters.
 */
export async function lossesWith(
  storage: Storage,
  jobId: string,
  own: Loss,
  isTooMuch: (losses: Losses) => boolean,
): Promise<Losses> {
  const jobs = seen.get(storage) ?? new Map<string, Seen>();
  seen.set(storage, jobs);
  const known = jobs.get(jobId);
  if (known) {
    known.lost.set(own.batch, own);
    known.since += 1;
    const losses = sumOf(known.lost);
    if (known.since <= known.listed * LISTED_AGAIN && !isTooMuch(losses)) return losses;
  }
  const settled = await listSettled(storage, jobId);
  const lost = new Map(settled.filter(({ failed }) => failed > 0).map((each) => [each.batch, each]));
  jobs.delete(jobId);
  jobs.set(jobId, { lost, listed: settled.length, since: 0 });
  const [oldest] = jobs.keys();
  if (jobs.size > MOST_REMEMBERED && oldest !== undefined) jobs.delete(oldest);
  return sumOf(lost);
}

function sumOf(lost: Map<number, Loss>): Losses {
  const losses: Losses = { failed: 0, missing: 0, batches: 0 };
  for (const { failed, missing } of lost.values()) {
    losses.failed += failed - missing;
    losses.missing += missing;
    if (missing > 0) losses.batches += 1;
  }
  return losses;
}
