import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import { downloadFolder } from '../../../src/cli/client/folders.js';
import type { Summary } from '../../../src/cli/score/summary.js';
import { readPack } from '../../../src/container-contract/pack.js';
import { createMedia } from '../../../src/media/media.js';
import { runCli } from '../../support/cli.js';
import { makeClip, tools } from '../../support/clip.js';
import { decodeRgb, packetHashes } from '../../support/media.js';
import { findingModel, tinyModel } from '../../support/scorer/tiny-model.js';
import { thumbnailOf } from '../../support/thumbnail.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();
const file = (...parts: string[]) => path.join(stack.folder, ...parts);
const build = { name: 'found', tools, media: createMedia(tools) };
const WIDTH = 160;
const HEIGHT = 120;
const FRAMES = 6;
/** In pixels of the frame. */
const BOX = [40, 30, 120, 90];

beforeAll(() => {
  makeClip(file('clip.mp4'), { size: `${WIDTH}x${HEIGHT}`, rate: '12', seconds: FRAMES / 12 });
  writeFileSync(file('finder.onnx'), findingModel([{ box: [0.25, 0.25, 0.75, 0.75], scores: [0.125, 0.75] }]));
  writeFileSync(file('finder.json'), JSON.stringify({ output: { kind: 'detections', labels: ['cat', 'dog'] } }));
});

const seconds = (frame: number) => Math.round((frame / 12) * 1e6) / 1e6;
const indices = Array.from({ length: FRAMES }, (_, frame) => frame);
const lines = (name: string) => readFileSync(name, 'utf8').trim().split(/\r?\n/);

function expectTables(folder: string): void {
  const detections = [{ index: 1, label: 'dog', score: 0.75, box: BOX }];
  const found = lines(path.join(folder, 'predictions.jsonl')).map((line) => JSON.parse(line) as unknown);
  expect(found).toEqual(indices.map((frame) => ({ frame, time: seconds(frame), detections })));
  expect(lines(path.join(folder, 'predictions.csv'))).toEqual([
    'frame,time,index,label,score,left,top,right,bottom',
    ...indices.map((frame) => `${frame},${seconds(frame)},1,dog,0.75,${BOX.join(',')}`),
  ]);
}

test('boxes become tables of all frames with their times, and no video, which the command line saves in a folder', async () => {
  const args = ['score', 'clip.mp4', '--model', 'finder.onnx', '--out', 'found', '--json', '--data', stack.data];
  const { code, stdout, stderr } = await runCli(args, { cwd: stack.folder });
  expect([code, stderr]).toEqual([0, '']);
  const predictions = { jsonl: file('found', 'predictions.jsonl'), csv: file('found', 'predictions.csv') };
  const summary = JSON.parse(stdout) as Summary;
  expect(summary).toMatchObject({ output: file('found'), predictions, frames: FRAMES, contactSheet: null });
  expect(Object.keys(summary.seconds)).toContain('collect');
  expectTables(file('found'));
});

test('masks become a picture for each frame and a table that names them', async () => {
  writeFileSync(file('mask.onnx'), tinyModel({ operator: 'Identity', shape: [1, 3, 'h', 'w'] }));
  writeFileSync(file('mask.json'), JSON.stringify({ output: { kind: 'mask', method: 'argmax' } }));
  const model = await stack.client.upload('model', file('mask.onnx'), { card: file('mask.json') });
  const input = { video: await stack.client.upload('video', file('clip.mp4')) };
  const id = await stack.client.start({ input, model, output: { predictions: 'outbox/masks' } });
  expect(await stack.ended(id)).toMatchObject({ state: 'done', output: 'outbox/masks/', predictions: 'outbox/masks/' });
  const small = await thumbnailOf(stack, id);
  expect(await sharp(small?.bytes).metadata()).toMatchObject({ format: 'jpeg', width: WIDTH, height: HEIGHT });
  await downloadFolder(stack.client, id, file('masks'));
  const rows = lines(file('masks', 'predictions.csv'));
  expect(rows).toEqual(['frame,time,file', ...indices.map((frame) => `${frame},${seconds(frame)},000000${frame}.png`)]);
  expect(await sharp(file('masks', '0000003.png')).metadata()).toMatchObject({
    width: WIDTH,
    height: HEIGHT,
    channels: 1,
  });
  expect(existsSync(file('masks', '0000006.png'))).toBe(false);
});

test('tensors become an archive of arrays and a table that names them', async () => {
  writeFileSync(file('same.onnx'), tinyModel({ operator: 'Identity', shape: [1, 3, 'h', 'w'] }));
  writeFileSync(file('same.json'), JSON.stringify({ output: { kind: 'tensor' } }));
  const model = await stack.client.upload('model', file('same.onnx'), { card: file('same.json') });
  const input = { video: await stack.client.upload('video', file('clip.mp4')) };
  const id = await stack.client.start({ input, model, output: { predictions: 'outbox/arrays', keepFrames: true } });
  expect(await stack.ended(id)).toMatchObject({ state: 'done', predictions: 'outbox/arrays/' });
  await downloadFolder(stack.client, id, file('same'));
  expect(lines(file('same', 'predictions.csv'))).toEqual([
    'frame,time,file,member',
    ...indices.map((frame) => `${frame},${seconds(frame)},arrays/0000000.npz,000000${frame}.npy`),
  ]);
  const archive = readFileSync(file('same', 'arrays', '0000000.npz'));
  const found: [name: string, bytes: number][] = [];
  for await (const { name, bytes } of readPack(chunksOf(archive), archive.length)) found.push([name, bytes.length]);
  expect(found).toEqual(indices.map((frame) => [`000000${frame}.npy`, 128 + 4 * 3 * WIDTH * HEIGHT]));
  const page = `${stack.url}/api/jobs/${id}/frames`;
  expect(await (await fetch(page)).json()).toEqual({
    error: expect.stringMatching(/gives no pictures, .*"source"/) as string,
  });
});

async function* chunksOf(bytes: Buffer) {
  yield await Promise.resolve(bytes);
}

test('boxes are drawn into the video when that is asked for, which keeps its times and its sound', async () => {
  const model = await stack.client.upload('model', file('finder.onnx'), { card: file('finder.json') });
  const input = { video: await stack.client.upload('video', file('clip.mp4')) };
  const id = await stack.client.start({ input, model, output: { draw: true }, batch: { size: 4 } });
  expect(await stack.ended(id)).toMatchObject({
    state: 'done',
    output: `outbox/${id}.mp4`,
    predictions: `outbox/${id}/`,
  });
  await downloadFolder(stack.client, id, file('drawn'));
  expectTables(file('drawn'));
  const output = file('drawn.mp4');
  await stack.client.download(id, 'output', output);
  expect(await build.media.probe(output)).toMatchObject({ framesEstimate: FRAMES, width: WIDTH, height: HEIGHT });
  expect(packetHashes(build, output)).toEqual(packetHashes(build, file('clip.mp4')));
  const [before, after] = [decodeRgb(build, file('clip.mp4')), decodeRgb(build, output)];
  const change = (frame: number, x: number, y: number) => {
    const at = (frame * WIDTH * HEIGHT + y * WIDTH + x) * 3;
    return Math.max(...[0, 1, 2].map((channel) => Math.abs((before[at + channel] ?? 0) - (after[at + channel] ?? 0))));
  };
  const [left = 0, top = 0, right = 0, bottom = 0] = BOX;
  for (const frame of indices) {
    const edges = indices.map((k) => change(frame, left + 10 * k, bottom - 1));
    expect(Math.max(...edges), `frame ${frame}`).toBeGreaterThan(80);
    for (const [x, y] of [
      [(left + right) / 2, (top + bottom) / 2 + 8],
      [5, 5],
      [right + 9, bottom + 9],
    ] as const)
      expect(change(frame, x, y), `frame ${frame} at ${x},${y}`).toBeLessThan(60);
  }
});
