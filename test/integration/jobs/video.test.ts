import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import ort from 'onnxruntime-node';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { createMedia, type VideoFacts } from '../../../src/media/media.js';
import { workContainer } from '../../../src/job-store/layout.js';
import type { PictureList } from '../../../src/api/jobs.js';
import { readIndex, readMember } from '../../../src/container-contract/pack.js';
import { readPpm } from '../../../src/scorer/pictures/files/ppm.js';
import { checkManifest } from '../../support/manifest.js';
import { makeClip, tools } from '../../support/clip.js';
import { compareRgb, decodeRgb, packetHashes, psnrPerFrame, sample } from '../../support/media.js';
import { thumbnailOf } from '../../support/thumbnail.js';
import { useStack } from '../../support/stack.js';
import { replaceFrame, storedItems } from '../../support/stored-items.js';
import { until } from '../../support/wait.js';

const stack = useStack();
const media = createMedia(tools);
const build = { name: 'found', tools, media };
const model = path.resolve('models/starry-night.onnx');

async function paint(video: string, output: string, batch: object): Promise<string> {
  const spec = { input: { video: await stack.client.upload('video', video) }, model: 'starry-night' };
  const id = await stack.client.start({ ...spec, output: { keepFrames: true }, batch });
  expect(await stack.ended(id)).toMatchObject({ state: 'done', output: `outbox/${id}.mp4` });
  await stack.client.download(id, 'output', output);
  return id;
}

function expectSameTiming(before: VideoFacts, after: VideoFacts): void {
  expect(after.framesEstimate).toBe(before.framesEstimate);
  expect(after.frameRate).toEqual(before.frameRate);
  expect(Math.abs(after.durationSeconds - before.durationSeconds)).toBeLessThan(
    before.frameRate.den / before.frameRate.num,
  );
}

describe('the first half second of the sample, made smaller and painted', () => {
  let source = '';
  let output = '';
  let id = '';

  beforeAll(async () => {
    source = path.join(stack.folder, 'source.mp4');
    output = path.join(stack.folder, 'output.mp4');
    execFileSync(tools.ffmpeg, [
      '-loglevel',
      'error',
      '-i',
      sample,
      '-t',
      '0.5',
      '-vf',
      'scale=240:-2',
      '-c:v',
      'libx264',
      '-c:a',
      'copy',
      source,
    ]);
    id = await paint(source, output, { size: 7 });
  });

  const items = (prefix: 'frames/' | 'scored/') =>
    storedItems(stack.storage.getContainerClient(workContainer(id)), prefix);

  test('has the same frames at the same rate for the same time', async () => {
    expectSameTiming(await media.probe(source), await media.probe(output));
  });

  test('says in the manifest how the output compares with its source', async () => {
    const { framesEstimate } = await media.probe(source);
    expect((await readManifest(id)).comparison).toMatchObject({
      frames: { expected: framesEstimate, found: framesEstimate, repairedTimes: 0 },
      sound: [{ sameData: true }],
      problems: [],
    });
  });

  test('is shown in the list of jobs by a small JPEG of a scored frame', async () => {
    const { type, bytes } = (await thumbnailOf(stack, id)) ?? {};
    expect({ type, ...(await sharp(bytes).metadata()) }).toMatchObject({
      type: 'image/jpeg',
      format: 'jpeg',
      width: 240,
    });
    expect(bytes?.length).toBeLessThan(30_000);
    const { framesEstimate: frames, width, height } = await media.probe(output);
    const middle = Buffer.from(decodeRgb(build, output).subarray(Math.floor((5 * frames) / 8) * width * height * 3));
    const shown = await sharp(bytes).raw().toBuffer();
    const apart = shown.reduce((sum, value, at) => sum + Math.abs(value - (middle[at] ?? 0)), 0) / shown.length;
    expect(apart).toBeLessThan(12);
  });

  test('has the very same sound packets', () => {
    const before = packetHashes(build, source);
    expect(before.flat().length).toBeGreaterThan(20);
    expect(packetHashes(build, output)).toEqual(before);
  });

  test('has every scored frame exactly as the network makes it of its source frame', async () => {
    const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1 });
    const { framesEstimate } = await media.probe(source);
    const [frames, painted] = [await items('frames/'), await items('scored/')];
    for (let index = 0; index < framesEstimate; index += 1) {
      const { data, width, height } = readPpm(frames.get(index) ?? Buffer.alloc(0));
      const expected = await run(session, data, width, height);
      const scored = readPpm(painted.get(index) ?? Buffer.alloc(0));
      expect(expected.equals(scored.data), `frame ${index}`).toBe(true);
    }
  });

  test('gives single frames as they are stored: those of the latest batches, or any that are scored', async () => {
    const ask = async (query: string) =>
      ((await (await fetch(`${stack.url}/api/jobs/${id}/pictures?${query}`)).json()) as PictureList).pictures;
    const { framesEstimate } = await media.probe(source);
    const newest = await ask('newest=2');
    expect(newest.map(({ item }) => Math.floor(item / 7))).toHaveLength(2);
    expect(new Set(newest.map(({ item }) => Math.floor(item / 7))).size).toBe(2);
    const [picture, ...more] = await ask(`at=3,${framesEstimate}`);
    expect(more).toEqual([]);
    expect(picture).toMatchObject({ item: 3, name: '0000003', scored: { member: '0000003.ppm', format: 'ppm' } });
    for (const [what, prefix] of [
      [picture?.scored, 'scored/'],
      [picture?.source, 'frames/'],
    ] as const) {
      const pack = Buffer.from(await (await fetch(what?.url ?? '')).arrayBuffer());
      expect(pack).toHaveLength(what?.bytes ?? 0);
      const read = (from: number, count: number) => Promise.resolve(pack.subarray(from, from + count));
      const entry = (await readIndex(read, pack.length)).find(({ name }) => name === what?.member);
      const frame = entry && Buffer.from(await readMember(read, entry));
      expect(frame?.equals((await items(prefix)).get(3) ?? Buffer.alloc(0))).toBe(true);
    }
  });

  test('shows every scored frame at 35 dB or better', async () => {
    const folder = path.join(stack.folder, 'scored');
    mkdirSync(folder);
    const { framesEstimate } = await media.probe(source);
    for (const [index, frame] of await items('scored/')) {
      const { data, width, height } = readPpm(frame);
      await sharp(data, { raw: { width, height, channels: 3 } }).toFile(path.join(folder, `${index}.png`));
    }
    const psnr = psnrPerFrame(build, output, folder, 'format=yuv420p');
    expect(psnr).toHaveLength(framesEstimate);
    expect(Math.min(...psnr)).toBeGreaterThanOrEqual(35);
  });
});

/** The network's answer for 8-bit RGB pixels, as 8-bit RGB pixels. */
async function run(session: ort.InferenceSession, rgb: Uint8Array, width: number, height: number): Promise<Buffer> {
  const plane = width * height;
  const values = Float32Array.from({ length: 3 * plane }, (_, k) => rgb[(k % plane) * 3 + Math.floor(k / plane)] ?? 0);
  const { stylized } = await session.run({ image: new ort.Tensor('float32', values, [1, 3, height, width]) });
  const bytes = Uint8ClampedArray.from(stylized?.data as Float32Array);
  return Buffer.from(rgb.map((_, k) => bytes[(k % 3) * plane + Math.floor(k / 3)] ?? 0));
}

test('a silent video at 29.97 frames per second keeps its rate and stays silent', async () => {
  const source = makeClip(path.join(stack.folder, 'silent.mp4'), { rate: '30000/1001', seconds: 0.5, sound: false });
  const output = path.join(stack.folder, 'silent-painted.mp4');
  await paint(source, output, {});
  const [before, after] = [await media.probe(source), await media.probe(output)];
  expectSameTiming(before, after);
  expect(after.frameRate).toEqual({ num: 30000, den: 1001 });
  expect(after.audioStreams).toBe(0);
});

describe('a job with a frame that cannot be decoded', () => {
  /** Starts a job and spoils a frame of its first batch once it is there, before a scorer has loaded its model. */
  async function startSpoiled(
    tolerate: object,
  ): Promise<{ id: string; source: string; restore: () => Promise<unknown> }> {
    const source = makeClip(path.join(stack.folder, 'short.mp4'), { size: '160x90', seconds: 1.5 });
    const spec = { input: { video: await stack.client.upload('video', source) }, model: 'starry-night' };
    const id = await stack.client.start({
      ...spec,
      tolerate,
      output: { keepFrames: true },
      batch: { size: 9, maxParallel: 1 },
    });
    await until('the scoring stage', async () =>
      (await stack.client.status(id)).stage === 'score' ? true : undefined,
    );
    const work = stack.storage.getContainerClient(workContainer(id));
    const original = await replaceFrame(work, 8, Buffer.from('no picture'));
    return { id, source, restore: () => replaceFrame(work, 8, original) };
  }

  test('fails with its name and reason, after one attempt, and keeps what was scored', async () => {
    const { id } = await startSpoiled({ failedItems: 0 });
    const status = await stack.ended(id);
    expect(status).toMatchObject({ state: 'failed', items: { total: 18, done: 8, failed: 1 } });
    expect(status.error?.message).toMatch(
      /^1 item could not be scored and tolerate\.failedItems is 0 \(0000008: .+\)\.$/,
    );
    const { batches, totals, failedItems } = await readManifest(id);
    expect(batches[0]).toMatchObject({ runs: 1, done: 8, failed: 1 });
    expect(totals).toMatchObject({ done: 8, failed: 1, givenUp: 0, neverReached: 9 });
    expect(failedItems).toMatchObject([
      { name: '0000008', blame: 'item', batch: 0, attempt: 1, frame: 8, time: 0.666667 },
    ]);
    expect(failedItems[0]).not.toHaveProperty('filledWith');
  });

  test.each([
    ['unpainted', 'source', undefined],
    ['as the frame before it', 'previous', 7],
  ] as const)('shows it %s when that is tolerated, and says so in the manifest', async (_, fill, filledFrom) => {
    const { id, source, restore } = await startSpoiled({ failedItems: 1, fill });
    await until('the failure', async () => ((await stack.client.status(id)).items.failed === 1 ? true : undefined));
    await restore();
    const status = await stack.ended(id);
    expect(status).toMatchObject({ state: 'done', items: { total: 18, done: 17, failed: 1 } });
    expect(status.warnings[0]).toMatch(
      /^1 of 18 frames could not be scored and (is shown as it came|shows the frame before), .*0000008: /,
    );
    const output = path.join(stack.folder, `tolerated-${fill}.mp4`);
    await stack.client.download(id, 'output', output);
    const { totals, failedItems, outputs } = await readManifest(id);
    expect(totals).toMatchObject({ done: 17, failed: 1 });
    expect(failedItems).toMatchObject([{ name: '0000008', filledWith: fill }]);
    expect(failedItems[0]?.filledFrom).toBe(filledFrom);
    const bytes = await readFile(output);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(outputs).toEqual({ files: [{ path: `outbox/${id}.mp4`, bytes: bytes.length, sha256 }] });
    const [before, after] = [decodeRgb(build, source), decodeRgb(build, output)];
    const frame = (video: Buffer, index: number) => video.subarray(index * 160 * 90 * 3, (index + 1) * 160 * 90 * 3);
    const shown = fill === 'source' ? frame(before, 8) : frame(after, 7);
    expect(compareRgb(shown, frame(after, 8)).psnr).toBeGreaterThan(30);
    expect(compareRgb(frame(before, 7), frame(after, 7)).psnr).toBeLessThan(20);
  });
});

async function readManifest(id: string) {
  const file = path.join(stack.folder, `${id}.json`);
  await stack.client.download(id, 'manifest', file);
  return checkManifest(await readFile(file));
}
