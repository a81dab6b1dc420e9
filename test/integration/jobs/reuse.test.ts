import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { uploadFolder } from '../../../src/cli/client/folders.js';
import { LeftOut } from '../../../src/job/items/left-out.js';
import { makeClip } from '../../support/clip.js';
import { checkManifest } from '../../support/manifest.js';
import { paint } from '../../support/scorer/pictures.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();
const file = (...parts: string[]) => path.join(stack.folder, ...parts);
const outbox = () => stack.storage.getContainerClient('outbox');

const encode = (seed: number) =>
  sharp(paint(24, 16, seed).data, { raw: { width: 24, height: 16, channels: 3 } })
    .png()
    .toBuffer();

async function folderOf(name: string, seeds: Record<string, number>): Promise<string> {
  mkdirSync(file(name));
  for (const [each, seed] of Object.entries(seeds)) writeFileSync(file(name, each), await encode(seed));
  return uploadFolder(stack.client, file(name), '', new LeftOut());
}

async function modelOf(name: string, shape: (number | string)[], card: object): Promise<string> {
  writeFileSync(file(`${name}.onnx`), tinyModel({ operator: 'Identity', shape }));
  writeFileSync(file(`${name}.json`), JSON.stringify(card));
  return stack.client.upload('model', file(`${name}.onnx`), { card: file(`${name}.json`) });
}

async function run(spec: object) {
  const id = await stack.client.start(spec);
  const status = await stack.ended(id);
  expect(status.error).toBeNull();
  await stack.client.download(id, 'manifest', file(`${id}.json`));
  const { totals, scorings } = checkManifest(readFileSync(file(`${id}.json`)));
  const reused = { told: status.items.reused ?? 0, recorded: totals.reused };
  return { id, status, totals, scorings, reused };
}

const delivered = (id: string, name: string) => outbox().getBlobClient(`${id}/${name}`).downloadToBuffer();

async function linesOf(id: string): Promise<Record<string, object>> {
  const lines = (await delivered(id, 'predictions.jsonl')).toString().trim().split('\n');
  const said = lines.map((line) => JSON.parse(line) as { item: string });
  return Object.fromEntries(said.map(({ item, ...rest }) => [item, rest]));
}

test('what was scored before of the same bytes is copied, and only the rest is scored', async () => {
  const seeds = { 'same.png': 1, 'replaced.png': 2, 'before.png': 3, 'deleted.png': 4, 'overwritten.png': 5 };
  const seedsLater = {
    'same.png': 1,
    'replaced.png': 9,
    'after.png': 3,
    'deleted.png': 4,
    'overwritten.png': 5,
    'new.png': 6,
  };
  const [images, later, painter, namer, video] = await Promise.all([
    folderOf('before', seeds),
    folderOf('later', seedsLater),
    modelOf('pass', [1, 3, 'h', 'w'], {}),
    modelOf('name', [1, 3, 1, 1], { output: { kind: 'classes' } }),
    stack.client.upload('video', makeClip(file('one.mp4'), { size: '32x24', seconds: 0.5, sound: false })),
  ]);
  writeFileSync(file('other.mp4'), readFileSync(file('one.mp4')));
  const videoLater = await stack.client.upload('video', file('other.mp4'));
  const [painted, named, shown] = await Promise.all([
    run({ input: { images }, model: painter }),
    run({ input: { images }, model: namer }),
    run({ input: { video }, model: painter, reuse: true, batch: { pack: 2 } }),
  ]);
  expect([painted.totals.reused, named.totals.reused, shown.totals.reused]).toEqual([undefined, undefined, 0]);
  await outbox().getBlobClient(`${painted.id}/deleted.png`).delete();
  await outbox()
    .getBlockBlobClient(`${painted.id}/overwritten.png`)
    .uploadData(await encode(7));

  const [paintedLater, namedLater, shownLater] = await Promise.all([
    run({ input: { images: later }, model: painter, reuse: true }),
    run({ input: { images: later }, model: namer, reuse: true }),
    run({ input: { video: videoLater }, model: painter, reuse: true, batch: { pack: 3 } }),
  ]);

  expect(paintedLater).toMatchObject({ reused: { told: 2, recorded: 2 }, scorings: { all: 4, wasted: 0 } });
  for (const [name, seed] of Object.entries(seedsLater))
    expect(
      await sharp(await delivered(paintedLater.id, name))
        .raw()
        .toBuffer(),
      name,
    ).toEqual(Buffer.from(paint(24, 16, seed).data));
  expect(await delivered(paintedLater.id, 'after.png')).toEqual(await delivered(painted.id, 'before.png'));

  expect(namedLater).toMatchObject({ reused: { told: 4, recorded: 4 }, scorings: { all: 2, wasted: 0 } });
  const [lines, linesLater] = [await linesOf(named.id), await linesOf(namedLater.id)];
  expect(Object.keys(linesLater).toSorted()).toEqual(Object.keys(seedsLater).toSorted());
  expect(linesLater).toMatchObject({ 'same.png': lines['same.png'], 'after.png': lines['before.png'] });
  expect(linesLater['replaced.png']).not.toEqual(lines['replaced.png']);

  expect(shownLater).toMatchObject({ reused: { told: 6, recorded: 6 }, scorings: { all: 0, wasted: 0 } });
  expect(shownLater.status).toMatchObject({ attempts: 0, itemsPerSecond: null });
  const videoOf = ({ id }: { id: string }) => outbox().getBlobClient(`${id}.mp4`).downloadToBuffer();
  expect(await videoOf(shownLater)).toEqual(await videoOf(shown));
});
