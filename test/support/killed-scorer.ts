import { parseScoredPart } from '../../src/container-contract/places.js';
import { jobContainer, taskBlob, workContainer } from '../../src/job-store/layout.js';
import { processesWith } from './processes.js';
import type { TestStack } from './stack.js';
import { until } from './wait.js';

/** By index: the version (ETag) of each scored item of a job. An item that is stored again gets another version. */
export async function scoredVersions(stack: TestStack, id: string): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  const work = stack.storage.getContainerClient(workContainer(id));
  for await (const { name, properties } of work.listBlobsFlat({ prefix: 'scored/' })) {
    const { first, last } = parseScoredPart(name) ?? { first: 0, last: -1 };
    for (let index = first; index <= last; index += 1) found.set(index, properties.etag);
  }
  return found;
}

/** Process ids of the scorer of an attempt. */
export function scorersOf(id: string, batch: number, attempt: number): number[] {
  const ofJob = new Set(processesWith(`${jobContainer(id)}?`));
  return processesWith(`TASK_BLOB=${taskBlob(batch, attempt)}`).filter((pid) => ofJob.has(pid));
}

/** Kills the scorer of a batch's first attempt once four of its items are stored, and gives what was stored then. */
export async function killHalfWay(
  stack: TestStack,
  id: string,
  { batch, size }: { batch: number; size: number },
): Promise<Map<number, string>> {
  const stored = await until('a few scored items', async () => {
    const all = await scoredVersions(stack, id).catch(() => new Map<number, string>());
    const own = [...all].filter(([index]) => Math.floor(index / size) === batch);
    return own.length >= 4 ? own : undefined;
  });
  const [scorer] = scorersOf(id, batch, 1);
  if (scorer === undefined) throw new Error('The batch was over before its scorer could be killed.');
  process.kill(scorer, 'SIGKILL');
  return new Map(stored);
}
