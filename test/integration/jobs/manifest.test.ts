import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { LeftOut } from '../../../src/job/items/left-out.js';
import { uploadFolder } from '../../../src/cli/client/folders.js';
import { checkManifest } from '../../support/manifest.js';
import { sample } from '../../support/media.js';
import { scoringModel } from '../../support/scorer/tiny-model.js';
import { thumbnailOf } from '../../support/thumbnail.js';
import { useStack } from '../../support/stack.js';
import { until } from '../../support/wait.js';

const stack = useStack();
const file = (name: string) => path.join(stack.folder, name);

async function manifestOf(id: string) {
  await stack.client.download(id, 'manifest', file(`${id}.json`));
  return checkManifest(readFileSync(file(`${id}.json`)));
}

test('a job that fails before anything is known of it says what was asked and why it failed', async () => {
  writeFileSync(file('odd.mp4'), 'no video');
  const video = await stack.client.upload('video', file('odd.mp4'));
  const id = await stack.client.start({ input: { video }, model: 'starry-night' });
  const { error } = await stack.ended(id);
  const manifest = await manifestOf(id);
  expect(manifest).toMatchObject({ outcome: 'failed', blame: 'user', message: error?.message, items: 0, batches: [] });
  expect(manifest).toMatchObject({ asked: { input: { video }, model: 'starry-night' }, outputs: { files: [] } });
  expect(manifest).not.toHaveProperty('resolved');
});

test('a job that is cancelled accounts for every item that it did not get to', async () => {
  const video = await stack.client.upload('video', sample);
  const id = await stack.client.start({ input: { video }, model: 'starry-night', batch: { size: 20 } });
  await until('the scoring stage', async () => ((await stack.client.status(id)).stage === 'score' ? true : undefined));
  await stack.client.cancel(id);
  expect((await stack.ended(id)).state).toBe('cancelled');
  const { outcome, items, totals, failedItems, outputs } = await manifestOf(id);
  expect(outcome).toBe('cancelled');
  expect(items).toBeGreaterThan(20);
  expect(totals).toMatchObject({ failed: 0, givenUp: 0, neverReached: items - totals.done });
  expect([failedItems, outputs]).toEqual([[], { files: [] }]);
});

test('the predictions of a job are named with their sizes and sums', async () => {
  mkdirSync(file('photos'));
  const red = readFileSync(path.resolve('docs/contact-sheet.jpg'));
  for (const name of ['a.jpg', 'b.jpg', 'c.jpg'])
    writeFileSync(file(`photos/${name}`), name === 'b.jpg' ? 'none' : red);
  writeFileSync(file('values.onnx'), scoringModel([1, 3, 4, 4]));
  const labels = Array.from({ length: 48 }, (_, index) => `class ${index}`);
  writeFileSync(file('values.json'), JSON.stringify({ output: { kind: 'classes', top: 2, labels } }));
  const model = await stack.client.upload('model', file('values.onnx'), { card: file('values.json') });
  const images = await uploadFolder(stack.client, file('photos'), '', new LeftOut());
  const spec = { input: { images }, model, tolerate: { failedPercent: 40 } };
  const id = await stack.client.start(spec);
  expect(await stack.ended(id)).toMatchObject({ state: 'done', items: { done: 2, failed: 1 } });
  expect(await thumbnailOf(stack, id)).toBeNull();
  const { outputs, failedItems } = await manifestOf(id);
  expect(outputs.files.map(({ path: name }) => name)).toEqual([
    `outbox/${id}/predictions.jsonl`,
    `outbox/${id}/predictions.csv`,
  ]);
  expect(outputs).not.toHaveProperty('folder');
  expect(failedItems).toMatchObject([{ name: 'b.jpg', blame: 'item' }]);

  const again = await stack.client.start({ ...spec, input: { images, list: { failedItemsOf: id } }, tolerate: {} });
  expect(await stack.ended(again)).toMatchObject({ state: 'failed', items: { total: 1, done: 0, failed: 1 } });
  expect((await manifestOf(again)).totals).toMatchObject({ done: 0, failed: 1 });
});
