import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { LeftOut } from '../../../src/job/left-out.js';
import { downloadFolder, uploadFolder } from '../../../src/cli/client/folders.js';
import type { AttemptResult } from '../../../src/container-contract/result.js';
import { jobContainer, resultBlob } from '../../../src/job-store/layout.js';
import { makeClip } from '../../support/clip.js';
import { killHalfWay, scoredVersions, scorersOf } from '../../support/killed-scorer.js';
import { processesWith } from '../../support/processes.js';
import { paint } from '../../support/scorer/pictures.js';
import { useStack } from '../../support/stack.js';
import { until } from '../../support/wait.js';

const stack = useStack();
const BATCH = 20;
const spec = {
  model: 'starry-night',
  output: { keepFrames: true },
  batch: { size: BATCH, maxParallel: 2, pack: 4 },
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
