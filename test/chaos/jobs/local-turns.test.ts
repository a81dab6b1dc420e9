import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { jobContainer } from '../../../src/job-store/layout.js';
import { makeClip } from '../../support/clip.js';
import { processesWith } from '../../support/processes.js';
import { useOwnStack } from '../../support/stack.js';

const stack = useOwnStack({});

test('jobs that run at the same time share the cores: never more scorers than cores, and all jobs end', async () => {
  const cores = os.availableParallelism();
  const clip = makeClip(path.join(stack.folder, 'clip.mp4'), { size: '160x90', rate: '8' });
  const video = await stack.client.upload('video', clip);
  const spec = { input: { video }, model: 'starry-night', batch: { size: 4, maxParallel: cores } };
  const ids = await Promise.all(Array.from({ length: 2 }, () => stack.client.start(spec)));
  let most = 0;
  const looking = setInterval(() => {
    const now = ids.flatMap((id) => processesWith(`${jobContainer(id)}?`));
    most = Math.max(most, new Set(now).size);
  }, 20);
  const ended = await Promise.all(ids.map((id) => stack.ended(id)));
  clearInterval(looking);
  expect(ended.map(({ state }) => state)).toEqual(ids.map(() => 'done'));
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(cores);
});
