import { counted } from '../../job/failure.js';
import { batchAt, batchOfItem, type BatchPlan } from '../../job/plan.js';
import { presentIn } from '../../container-contract/places.js';
import { listParts } from '../../job-store/batches/scored-parts.js';
import { readUnscored } from '../../job-store/batches/settled.js';
import type { OfRun } from '../../job/run.js';
import type { Ports } from '../ports.js';

export interface Lost {
  /** Batches with items whose outputs are gone; the first of them when there are many. */
  batches: number[];
  /** The items of these batches whose outputs are gone; absent in histories of earlier versions. */
  items?: number;
  /** Says so in one sentence; '' when there is none. */
  message: string;
  /** Items of all other batches; absent in histories of earlier versions. */
  accounted?: number;
  /** Items with an output; absent in histories of earlier versions. */
  done?: number;
  /** Batches beyond those that are named; absent: none. */
  rest?: number;
}

/** What fits into the input of an orchestration. */
const MOST_BATCHES = 200;

/** Finds the items that have no output in storage although no batch has ended without them. */
export function createFindLost({ storage }: Pick<Ports, 'storage'>) {
  return async ({ jobId, plan }: OfRun & { plan: BatchPlan }): Promise<Lost> => {
    const unscored = await readUnscored(storage, jobId);
    const accounted = new Uint8Array(plan.items);
    for (const index of unscored) accounted[index] = 1;
    const present = new Uint8Array(plan.items);
    for await (const part of listParts(storage, jobId)) for (const index of presentIn(part)) present[index] = 1;
    for (const [index, is] of present.entries()) if (is === 1) accounted[index] = 1;
    const batches = new Set<number>();
    let items = 0;
    let itemsNamed = 0;
    for (let index = accounted.indexOf(0); index >= 0; index = accounted.indexOf(0, index + 1)) {
      items += 1;
      batches.add(batchOfItem(plan, index));
      if (batches.size <= MOST_BATCHES) itemsNamed += 1;
    }
    const named = [...batches].slice(0, MOST_BATCHES);
    const rest = batches.size - named.length;
    const open = [...batches].reduce((sum, batch) => sum + (batchAt(plan, batch)?.count ?? 0), 0);
    const message =
      items === 0
        ? ''
        : `The outputs of ${counted(items, 'item')} of job ${jobId} have gone from storage again and again.`;
    const done = present.reduce((sum, is) => sum + is, 0);
    return {
      batches: named,
      items: itemsNamed,
      message,
      accounted: plan.items - open,
      done,
      ...(rest > 0 && { rest }),
    };
  };
}
