import type { AttemptResult, FailedItem } from '../job/task.js';
import { resultBlob, scoredIndex, scoredPrefix } from '../storage/layout.js';
import { jobOf, readJson, type Storage, workOf } from '../storage/storage.js';
import { itemName } from '../storage/layout.js';

/** Where a batch stands, read from its outputs and the results of its attempts. */
export interface BatchState {
  /** Item indices with an output. */
  done: number[];
  /** Items that a scorer could not score and that have no output. */
  failed: FailedItem[];
  /** Item indices with neither. */
  missing: number[];
  /** Results of the attempts that managed to write one, by attempt. */
  results: AttemptResult[];
}

/** `attempts`: how many attempts the batch has had so far. */
export async function readBatchState(
  storage: Storage,
  jobId: string,
  first: number,
  count: number,
  batch: number,
  attempts: number,
): Promise<BatchState> {
  const scored = new Set<number>();
  for await (const blob of workOf(storage, jobId).listBlobsFlat({ prefix: scoredPrefix(first, first + count - 1) })) {
    const index = scoredIndex(blob.name);
    if (index !== undefined) scored.add(index);
  }
  const reads = Array.from({ length: attempts }, (_, k) =>
    readJson<AttemptResult>(jobOf(storage, jobId), resultBlob(batch, k + 1)),
  );
  const results = (await Promise.all(reads)).filter((result) => result !== undefined);
  const reasons = new Map(results.flatMap((result) => result.failed.map((item) => [item.name, item.reason] as const)));
  const state: BatchState = { done: [], failed: [], missing: [], results };
  for (let index = first; index < first + count; index += 1) {
    const name = itemName(index);
    const reason = reasons.get(name);
    if (scored.has(index)) state.done.push(index);
    else if (reason !== undefined) state.failed.push({ name, reason });
    else state.missing.push(index);
  }
  return state;
}
