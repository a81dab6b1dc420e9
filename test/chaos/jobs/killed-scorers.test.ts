import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { LeftOut } from '../../../src/job/items/left-out.js';
import { downloadFolder, uploadFolder } from '../../../src/cli/client/folders.js';
import type { AttemptResult } from '../../../src/container-contract/result.js';
import type { ScoreTask } from '../../../src/container-contract/task.js';
import { jobContainer, resultBlob, taskBlob, workContainer } from '../../../src/job-store/layout.js';
import { makeClip } from '../../support/clip.js';
import { killHalfWay, scoredVersions, scorersOf } from '../../support/killed-scorer.js';
import { processesWith } from '../../support/processes.js';
import { paint } from '../../support/scorer/pictures.js';
import { useStack } from '../../support/stack.js';
import { storedItems } from '../../support/stored-items.js';
import { until } from '../../support/wait.js';

/** `KILLS=20` kills as often; a batch has ten attempts at most. */
const KILLS = Number(process.env.KILLS ?? 3);
const KILLS_OF_BATCH = Math.min(KILLS, 5);
const PACK = 8;

const stack = useStack();
const BATCH = 20;
const spec = {
  model: 'starry-night',
  output: { keepFrames: true },
  batch: { size: BATCH, maxParallel: 2, pack: 4, splitStragglers: false },
  retry: { maxAttempts: 2, firstDelaySeconds: 0 },
};

test('a batch whose scorers all die is given up after its attempts, with a sentence and nothing left running', async () => {
  const clip = makeClip(path.join(stack.folder, 'clip.mp4'), { size: '320x180', rate: String(BATCH) });
  const id = await stack.client.start({ ...spec, input: { video: await stack.client.upload('video', clip) } });
  await killHalfWay(stack, id, { batch: 1, size: BATCH });
  const second = await until('the second attempt', () => scorersOf(id, 1, 2)[0]);
  process.kill(second, 'SIGKILL');
  const status = await stack.ended(id);
  expect(status.state).toBe('failed');
  expect(status.error?.message).toMatch(/^\d+ items could not be scored and tolerate.failedItems is 0/);
  expect(processesWith(jobContainer(id))).toEqual([]);
});

test('a killed scorer of an image folder is followed by one that scores the missing images only', async () => {
  const folder = path.join(stack.folder, 'slow');
  mkdirSync(folder);
  const picture = sharp(paint(320, 180).data, { raw: { width: 320, height: 180, channels: 3 } });
  const bytes = await picture.jpeg().toBuffer();
  for (let index = 0; index < BATCH; index += 1) writeFileSync(path.join(folder, `${index}.jpg`), bytes);
  const id = await stack.client.start({
    ...spec,
    input: { images: await uploadFolder(stack.client, folder, '', new LeftOut()) },
  });
  const stored = await killHalfWay(stack, id, { batch: 0, size: BATCH });

  expect(await stack.ended(id)).toMatchObject({ state: 'done', items: { total: BATCH, done: BATCH, failed: 0 } });
  const final = await scoredVersions(stack, id);
  expect(final.size).toBe(BATCH);
  for (const [index, version] of stored) expect(final.get(index)).toBe(version);
  const blob = stack.storage.getContainerClient(jobContainer(id)).getBlobClient(resultBlob(0, 2));
  const second = JSON.parse((await blob.downloadToBuffer()).toString()) as AttemptResult;
  expect(second.done.length).toBeGreaterThan(0);
  expect(second.done.length).toBeLessThanOrEqual(BATCH - stored.size);
  const painted = path.join(stack.folder, 'slow-painted');
  await downloadFolder(stack.client, id, painted);
  expect(readFileSync(path.join(painted, '19.png')).equals(readFileSync(path.join(painted, '0.png')))).toBe(true);
});

test(
  'a scorer that is killed again and again loses what it had not stored, which is never more than a pack, and nothing else',
  { timeout: 600_000 },
  async () => {
    const size = KILLS_OF_BATCH * 2 * PACK;
    const batches = Math.ceil(KILLS / KILLS_OF_BATCH);
    const frames = batches * size;
    const clip = makeClip(path.join(stack.folder, 'long.mp4'), {
      size: '320x180',
      rate: String(frames),
      seconds: 1,
      sound: false,
    });
    const job = {
      ...spec,
      input: { video: await stack.client.upload('video', clip) },
      batch: { size, maxParallel: 1, pack: PACK },
      retry: { maxAttempts: KILLS_OF_BATCH + 1, firstDelaySeconds: 0 },
    };
    const undisturbed = await stack.client.start(job);
    expect(await stack.ended(undisturbed, 300)).toMatchObject({ state: 'done' });
    const id = await stack.client.start(job);
    for (let kill = 0; kill < KILLS; kill += 1) {
      const [batch, attempt] = [Math.floor(kill / KILLS_OF_BATCH), (kill % KILLS_OF_BATCH) + 1];
      const scorer = await until('the scorer', () => scorersOf(id, batch, attempt)[0]);
      const before = await scoredVersions(stack, id);
      const stored = await until('one more pack', async () => {
        const all = await scoredVersions(stack, id);
        return all.size > before.size ? all : undefined;
      });
      if (scorersOf(id, batch, attempt)[0] !== scorer)
        throw new Error('The batch was over before its scorer could be killed.');
      process.kill(scorer, 'SIGKILL');
      for (const [index, version] of before) expect(stored.get(index)).toBe(version);
      const next = await until('the next attempt', () =>
        scorersOf(id, batch, attempt + 1)[0] === undefined ? undefined : true,
      );
      expect(next).toBe(true);
      // What the killed one stored as it died is not scored again either.
      const task = await readTask(id, batch, attempt + 1);
      expect(task.items.length + (task.before ?? 0)).toBe(size);
      expect(task.before).toBeGreaterThanOrEqual(stored.size - batch * size);
      expect((task.before ?? 0) % PACK).toBe(0);
    }
    expect(await stack.ended(id, 300)).toMatchObject({
      state: 'done',
      items: { total: frames, done: frames, failed: 0 },
      attempts: KILLS + batches,
    });
    const hashes = async (jobId: string) =>
      new Map(
        [...(await storedItems(stack.storage.getContainerClient(workContainer(jobId)), 'scored/'))].map(
          ([index, bytes]) => [index, createHash('md5').update(bytes).digest('hex')],
        ),
      );
    expect(await hashes(id)).toEqual(await hashes(undisturbed));
  },
);

async function readTask(id: string, batch: number, attempt: number): Promise<ScoreTask> {
  const blob = stack.storage.getContainerClient(jobContainer(id)).getBlobClient(taskBlob(batch, attempt));
  return JSON.parse((await blob.downloadToBuffer()).toString()) as ScoreTask;
}
