import path from 'node:path';
import { expect, test } from 'vitest';
import type { AttemptResult } from '../../../src/container-contract/task.js';
import { jobContainer, PROGRESS_PREFIX, resultBlob, taskBlob, workContainer } from '../../../src/job-store/layout.js';
import { makeClip } from '../../support/clip.js';
import { processesWith } from '../../support/processes.js';
import { useStack } from '../../support/stack.js';
import { until } from '../../support/wait.js';

const stack = useStack();
const FRAMES = 48;

const start = async (more: object) => {
  const clip = makeClip(path.join(stack.folder, 'clip.mp4'), { size: '320x180', seconds: 4 });
  const spec = {
    input: { video: await stack.client.upload('video', clip) },
    model: 'starry-night',
    output: { keepFrames: true },
  };
  return stack.client.start({
    ...spec,
    batch: { size: FRAMES / 2, maxParallel: 2 },
    retry: { maxAttempts: 2, firstDelaySeconds: 0 },
    ...more,
  });
};

const readJson = async <T>(id: string, blob: string): Promise<T> =>
  JSON.parse(
    (await stack.storage.getContainerClient(jobContainer(id)).getBlobClient(blob).downloadToBuffer()).toString(),
  ) as T;

/** ETags of all scored frames: an output that is written again gets another. */
async function outputs(id: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { name, properties } of stack.storage
    .getContainerClient(workContainer(id))
    .listBlobsFlat({ prefix: 'scored/' }))
    found.set(name, properties.etag);
  return found;
}

/** Kills the scorer of this attempt once it has stored some items, and returns what was stored at that moment. */
async function killHalfWay(id: string, batch: number, attempt: number): Promise<Map<string, string>> {
  const stored = await until('a few scored frames', async () => {
    const done = await outputs(id).catch(() => new Map<string, string>());
    const own = [...done].filter(([name]) => Math.floor(Number(/\d+/.exec(name)?.[0]) / (FRAMES / 2)) === batch);
    return own.length >= 4 ? own : undefined;
  });
  const [scorer] = processesWith(`${jobContainer(id)}?`).filter((pid) =>
    processesWith(`TASK_BLOB=${taskBlob(batch, attempt)}`).includes(pid),
  );
  if (scorer === undefined) throw new Error('No scorer was found to kill.');
  process.kill(scorer, 'SIGKILL');
  return new Map(stored);
}

test('a killed scorer is followed by one that scores the missing items only, and other batches are not touched', async () => {
  const id = await start({});
  const stored = await killHalfWay(id, 0, 1);
  const status = await stack.ended(id);
  expect(status).toMatchObject({
    state: 'done',
    items: { total: FRAMES, done: FRAMES, failed: 0 },
    batches: { total: 2, done: 2, failed: 0 },
  });

  const final = await outputs(id);
  expect(final.size).toBe(FRAMES);
  for (const [name, etag] of stored) expect(final.get(name)).toBe(etag);

  const second = await readJson<AttemptResult>(id, resultBlob(0, 2));
  const storedNames = [...stored.keys()].map((name) => /\d+/.exec(name)?.[0] ?? '');
  expect(second.done.filter((name) => storedNames.includes(name))).toEqual([]);
  expect(second.done.length).toBeGreaterThan(0);
  expect(second.done.length).toBeLessThanOrEqual(FRAMES / 2 - stored.size);

  const other = await readJson<AttemptResult>(id, resultBlob(1, 1));
  expect(other).toMatchObject({ outcome: 'completed', skipped: [], failed: [] });
  expect(other.done).toHaveLength(FRAMES / 2);
  const reports = stack.storage.getContainerClient(jobContainer(id)).listBlobsFlat({ prefix: PROGRESS_PREFIX });
  const attempts: string[] = [];
  for await (const { name } of reports) attempts.push(name);
  expect(attempts).toEqual(['progress/b00000-a1.json', 'progress/b00000-a2.json', 'progress/b00001-a1.json']);
});

test('a batch whose scorers all die is given up after its attempts, with a sentence and nothing left running', async () => {
  const id = await start({});
  await killHalfWay(id, 1, 1);
  await until('the second attempt', () => processesWith(`TASK_BLOB=${taskBlob(1, 2)}`)[0]);
  for (const pid of processesWith(`TASK_BLOB=${taskBlob(1, 2)}`)) process.kill(pid, 'SIGKILL');
  const status = await stack.ended(id);
  expect(status.state).toBe('failed');
  expect(status.error?.message).toMatch(/^\d+ items could not be scored and tolerate.failedItems is 0/);
  expect(processesWith(jobContainer(id))).toEqual([]);
});

test('a cancelled job stops its scorers and ends as cancelled', async () => {
  const id = await start({});
  await until('the scorers', () => (processesWith(jobContainer(id)).length === 2 ? true : undefined));
  await stack.client.cancel(id);
  const status = await stack.ended(id);
  expect(status.state).toBe('cancelled');
  expect(processesWith(jobContainer(id))).toEqual([]);
});
