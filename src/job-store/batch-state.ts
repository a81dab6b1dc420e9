import type { AttemptResult, FailedItem } from '../container-contract/task.js';
import { jobOf, resultBlob, scoredIndex, scoredPrefixes, workOf } from './layout.js';
import { readJson, type Storage } from '../storage/storage.js';
import { readItems } from './items.js';
import type { ResolvedJob } from './resolved-job.js';

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
  job: ResolvedJob,
  first: number,
  count: number,
  batch: number,
  attempts: number,
): Promise<BatchState> {
  const scored = await listScored(storage, job.jobId, first, count);
  const reads = Array.from({ length: attempts }, (_, k) =>
    readJson<AttemptResult>(jobOf(storage, job.jobId), resultBlob(batch, k + 1)),
  );
  const results = (await Promise.all(reads)).filter((result) => result !== undefined);
  const reasons = new Map(results.flatMap((result) => result.failed.map((item) => [item.name, item.reason] as const)));
  const names = reasons.size > 0 ? await readItems(storage, job, first, count) : [];
  const state: BatchState = { done: [], failed: [], missing: [], results };
  for (let index = first; index < first + count; index += 1) {
    const name = names[index - first]?.name ?? '';
    const reason = reasons.get(name);
    if (scored.has(index)) state.done.push(index);
    else if (reason !== undefined) state.failed.push({ name, reason });
    else state.missing.push(index);
  }
  return state;
}

/** Indices of the items that have an output and its bytes, among those from `first` on and some around them. */
export async function listScored(
  storage: Storage,
  jobId: string,
  first: number,
  count: number,
): Promise<Map<number, number>> {
  const scored = new Map<number, number>();
  for (const prefix of scoredPrefixes(first, first + count - 1)) {
    for await (const { name, properties } of workOf(storage, jobId).listBlobsFlat({ prefix })) {
      const index = scoredIndex(name);
      if (index !== undefined) scored.set(index, properties.contentLength ?? 0);
    }
  }
  return scored;
}
