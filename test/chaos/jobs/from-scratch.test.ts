import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { makeClip } from '../../support/clip.js';
import { scoredVersions } from '../../support/killed-scorer.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();
const FRAMES = 24;

test('a job that begins from scratch scores everything again, and keeps what it has where its compute refuses it', async () => {
  const model = path.join(stack.folder, 'same.onnx');
  writeFileSync(model, tinyModel({ operator: 'Relu', shape: [1, 3, 'height', 'width'] }));
  const clip = makeClip(path.join(stack.folder, 'scratch.mp4'), { size: '64x48', rate: String(FRAMES), seconds: 1 });
  const id = await stack.client.start({
    input: { video: await stack.client.upload('video', clip) },
    model: await stack.client.upload('model', model),
    output: { keepFrames: true },
    batch: { pack: 4 },
  });
  expect((await stack.ended(id)).state).toBe('done');
  const before = await scoredVersions(stack, id);
  expect(before.size).toBe(FRAMES);

  await stack.client.redrive(id, { fromScratch: true, compute: { kind: 'aci' } });
  expect(await stack.ended(id)).toMatchObject({ state: 'failed', run: 2 });
  expect(await scoredVersions(stack, id)).toEqual(before);

  await stack.client.redrive(id, { fromScratch: true, compute: { kind: 'local' } });
  expect(await stack.ended(id)).toMatchObject({ state: 'done', run: 3, items: { done: FRAMES, failed: 0 } });
  const after = await scoredVersions(stack, id);
  expect(after.size).toBe(FRAMES);
  for (const [index, version] of after) expect(version).not.toBe(before.get(index));
});
