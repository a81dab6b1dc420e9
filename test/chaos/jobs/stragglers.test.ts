import { describe, expect, inject, test } from 'vitest';
import type { ObserveInput, ObserveResult } from '../../../src/activities/batches/observe-batch.js';
import { framesBlob, parseScoredPart } from '../../../src/container-contract/places.js';
import { RUNG } from '../../../src/container-contract/progress.js';
import { isIn, spansOf, untaken } from '../../../src/container-contract/share.js';
import type { AttemptResult } from '../../../src/container-contract/result.js';
import type { ComputeKind } from '../../../src/job/compute-choice.js';
import { readTask } from '../../../src/job-store/batches/batch-state.js';
import { readShare } from '../../../src/job-store/batches/helpers.js';
import { readSettled } from '../../../src/job-store/batches/settled.js';
import {
  containerName,
  jobContainer,
  jobOf,
  progressBlob,
  resultBlob,
  taskBlob,
  workOf,
} from '../../../src/job-store/layout.js';
import { countMended } from '../../../src/job-store/videos/mended.js';
import { readJson } from '../../../src/storage/storage.js';
import { DEADLY, useDeadlyItems } from '../../support/deadly-items.js';
import { processesWith } from '../../support/processes.js';
import { openAzurite } from '../../support/storage.js';
import { storedItems } from '../../support/stored-items.js';

const { score } = useDeadlyItems();
const storage = openAzurite(inject('storage'));
const FRAMES = 48;
/** As `useDeadlyItems` stores them. */
const PACK = 8;
const slow = Array.from({ length: FRAMES }, () => DEADLY.slow);

/** Process ids of the scorer of an attempt. */
function scorersOf(kind: ComputeKind, jobId: string, attempt: number): number[] {
  if (kind === 'container-apps') return processesWith(`SCORER_LAUNCH=${containerName(jobId, 0, attempt)}`);
  const ofJob = new Set(processesWith(`${jobContainer(jobId)}?`));
  return processesWith(`TASK_BLOB=${taskBlob(0, attempt)}`).filter((pid) => ofJob.has(pid));
}

const metadataOf = (jobId: string, attempt: number): Promise<Record<string, string>> =>
  jobOf(storage, jobId)
    .getBlobClient(progressBlob(0, attempt))
    .getProperties()
    .then(
      ({ metadata = {} }) => metadata,
      () => ({}),
    );

/** Packs of frames that are damaged before the batch begins, until its containers have ended. */
function harm(jobId: string, starts: number[]) {
  const blobs = starts.map((first) => workOf(storage, jobId).getBlockBlobClient(framesBlob(first, PACK, 'ppm')));
  const whole: Buffer[] = [];
  return {
    begin: async () => {
      for (const blob of blobs) {
        whole.push(await blob.downloadToBuffer());
        await blob.upload('', 0);
      }
    },
    end: async () => {
      for (const [k, bytes] of whole.splice(0).entries()) await blobs[k]?.upload(bytes, bytes.length);
    },
  };
}

/**
 * Scores slow frames with a container that gets help once it has begun: it stands still until the other one has made itself heard. When that
 * one has items of its own, one of them is killed, where that is asked for.
 * @param damaged packs, by their first frames, that another batch has split again when both have ended.
 */
async function scoreTogether(kind: ComputeKind, killed?: number, damaged: number[] = []) {
  let harmed: ReturnType<typeof harm> | undefined;
  let step: 'begins' | 'waits' | 'goes on' | 'shares' = 'begins';
  return score(kind, slow, damaged.length > 0 ? { retry: { maxAttempts: 1, firstDelaySeconds: 0 } } : {}, 1, {
    parallel: 2,
    begin: async (jobId) => {
      harmed = harm(jobId, damaged);
      await harmed.begin();
    },
    between: async (name, input, value, jobId) => {
      if (name === 'settleBatch') await harmed?.end();
      const seen = value as ObserveResult;
      if (name !== 'observeBatch' || seen.watchEnd !== undefined) return value;
      const { attempt } = input as ObserveInput;
      const signal = (number: number, what: NodeJS.Signals) => {
        for (const pid of scorersOf(kind, jobId, number)) process.kill(pid, what);
      };
      const soon = { ...seen, pollSeconds: 0.1 };
      const said = await metadataOf(jobId, attempt);
      if (step === 'begins' && said.phase === 'scoring') {
        step = 'waits';
        signal(attempt, 'SIGSTOP');
        return { ...soon, help: 1 };
      }
      if (step === 'waits' && said[RUNG] !== undefined) {
        step = 'goes on';
        signal(attempt, 'SIGCONT');
      }
      const share = await readShare(storage, jobId, 0, attempt);
      if (step === 'goes on' && share && spansOf(share, 2).length > 0) {
        step = 'shares';
        if (killed !== undefined) signal(killed, 'SIGKILL');
      }
      return soon;
    },
  });
}

/** Says what became of the items, and that each has the output that it should have, once. */
async function outputsOf(jobId: string) {
  const work = workOf(storage, jobId);
  const [frames, scored] = [await storedItems(work, 'frames/'), await storedItems(work, 'scored/')];
  expect([...scored.keys()].toSorted((one, other) => one - other)).toEqual([...frames.keys()]);
  for (const [index, bytes] of scored) expect(bytes.equals(frames.get(index) ?? Buffer.alloc(0))).toBe(true);
  const parts: number[] = [];
  for await (const { name } of work.listBlobsFlat({ prefix: 'scored/' })) {
    const { first, last } = parseScoredPart(name) ?? { first: 0, last: -1 };
    for (let index = first; index <= last; index += 1) parts.push(index);
  }
  expect(parts).toEqual([...frames.keys()]);
  const { ends = [], runs, state } = (await readSettled(storage, jobId, 0)) ?? {};
  const read = ({ attempt }: { attempt: number }) =>
    readJson<AttemptResult>(jobOf(storage, jobId), resultBlob(0, attempt));
  const results = (await Promise.all(ends.map(read))).flatMap((result) => result ?? []);
  return {
    ends,
    runs,
    state,
    done: results.map(({ done }) => done),
    lost: results.map(({ lost = [] }) => lost),
  };
}

describe.concurrent('a slow batch', () => {
  test('is scored by two containers, each of which leaves the items of the other one alone', async () => {
    const { result, jobId, runs } = await scoreTogether('local');
    expect(result).toMatchObject({ failed: 0, missing: 0 });
    const { ends, done, state, runs: launched } = await outputsOf(jobId);
    expect([runs, launched, state]).toEqual([2, 2, 'done']);
    expect(ends).toMatchObject([{ end: 'complete' }, { end: 'complete', helps: 1 }]);
    expect(done.map((names) => names.length > 0)).toEqual([true, true]);
    expect(new Set(done.flat()).size).toBe(FRAMES);
    expect(done.flat()).toHaveLength(FRAMES);
  });

  test.each([
    ['one of its containers has', [FRAMES - PACK]],
    ['both of its containers have', [PACK, FRAMES - PACK]],
  ])('is scored whole, each of its items once, when %s taken up frames that are damaged', async (_, damaged) => {
    const { result, jobId, runs } = await scoreTogether('local', undefined, damaged);
    expect(result).toMatchObject({ failed: 0, missing: 0 });
    const { ends, done, lost, state } = await outputsOf(jobId);
    expect([runs, state, ends.length]).toEqual([3, 'done', 3]);
    expect(ends[2]).toMatchObject({ attempt: 3, end: 'complete' });
    const inThem = damaged.flatMap((first) => [...Array(PACK).keys()].map((k) => first + k));
    expect(lost.flat().toSorted((one, other) => one - other)).toEqual(inThem);
    expect(lost[1]?.length).toBeGreaterThan(0);
    expect(done.flat()).toHaveLength(FRAMES);
    expect(done[2]).toHaveLength(inThem.length);
    expect(await countMended(storage, jobId)).toBe(inThem.length);
  });

  const kills: [string, ComputeKind, number][] = [
    ['that helps', 'local', 2],
    ['that was there first', 'local', 1],
    ['that helps', 'container-apps', 2],
    ['that was there first', 'aci', 1],
  ];
  test.each(kills)('goes on when the container %s is killed, on %s', async (_, kind, killed) => {
    const { result, jobId } = await scoreTogether(kind, killed);
    expect(result).toMatchObject({ failed: 0, missing: 0 });
    const { ends, state, done } = await outputsOf(jobId);
    expect(state).toBe('done');
    expect(ends.find(({ attempt }) => attempt === killed)).toMatchObject({ end: 'failed' });
    expect(ends.find(({ attempt }) => attempt === 3 - killed)).toMatchObject({ end: 'complete' });
    // No stored item is scored again, and what the dead one had not come to was taken over, to the last item.
    expect(new Set(done.flat()).size).toBe(done.flat().length);
    const share = await readShare(storage, jobId, 0, 1);
    const ofDead = { spans: share ? spansOf(share, killed) : [] };
    expect(ofDead.spans).not.toEqual([]);
    expect(untaken(ofDead, [...slow.keys()]).length).toBeLessThanOrEqual(1);
    // The next container gets what the dead one had taken up and not stored, and at most that one item more.
    const left = (await readTask(storage, { jobId, batch: 0, attempt: 3 }))?.items ?? [];
    expect(left.filter(({ index }) => !isIn(ofDead.spans, index))).toEqual([]);
    const notTaken = left.filter(({ index }) => ofDead.spans.some(({ taken, last }) => taken < index && index <= last));
    expect(notTaken.length).toBeLessThanOrEqual(1);
  });
});
