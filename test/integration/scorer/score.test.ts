import { parseLogLine } from '../../../src/container-contract/log-line.js';
import ort from 'onnxruntime-node';
import sharp from 'sharp';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { ModelCard } from '../../../src/model-card/schema.js';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import { cardOf, ScorerJob, STARRY_NIGHT } from '../../support/scorer/harness.js';
import { paint } from '../../support/scorer/pictures.js';

const codec = createSharpCodec();
let card: ModelCard;
beforeAll(async () => {
  card = await cardOf(STARRY_NIGHT, STARRY_NIGHT.replace('.onnx', '.json'));
});

/** What the network itself gives for a frame: float values to bytes, nothing else. */
async function bare(png: Buffer): Promise<Buffer> {
  const { data: rgb, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const pixels = info.width * info.height;
  const values = new Float32Array(pixels * 3).map(
    (_, index) => rgb[(index % pixels) * 3 + Math.floor(index / pixels)] ?? NaN,
  );
  const session = await ort.InferenceSession.create(STARRY_NIGHT);
  const { stylized } = await session.run({ image: new ort.Tensor('float32', values, [1, 3, info.height, info.width]) });
  const bytes = Uint8ClampedArray.from(stylized?.data as Float32Array);
  return Buffer.from(rgb.map((_, index) => bytes[(index % 3) * pixels + Math.floor(index / 3)] ?? 0));
}

async function frames(sizes: [number, number][]): Promise<Record<string, Buffer>> {
  const entries = sizes.map(
    async ([width, height], index) => [`${index}.png`, await codec.encode(paint(width, height, index), 'png')] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

describe.each(['sharp', 'jimp'] as const)('a batch, pictures by %s', (name) => {
  let job: ScorerJob;
  let inputs: Record<string, Buffer>;
  let run: Awaited<ReturnType<ScorerJob['score']>>;
  beforeAll(async () => {
    inputs = await frames([
      [64, 48],
      [64, 48],
      [61, 43],
      [8, 8],
      [64, 48],
      [64, 48],
    ]);
    job = await ScorerJob.create(inject('storage'), { model: STARRY_NIGHT, card });
    await job.addInputs(inputs);
    run = await job.score(Object.keys(inputs), { SCORER_CODEC: name });
  });

  it('gives for every frame exactly what the network gives', async () => {
    for (const [frame, png] of Object.entries(inputs)) {
      const scored = await sharp(await job.output(frame))
        .raw()
        .toBuffer();
      expect(scored.equals(await bare(png)), frame).toBe(true);
    }
  });

  it('accounts for itself in the result', () => {
    const { finished, result } = run;
    expect(finished).toMatchObject({ code: 0, stderr: '' });
    expect(result).toMatchObject({
      jobId: 'test',
      batch: 3,
      attempt: 1,
      outcome: 'completed',
      skipped: [],
      failed: [],
      device: 'cpu',
      optimized: true,
      codec: name,
    });
    expect(result.done.toSorted()).toEqual(['0', '1', '2', '3', '4', '5']);
    for (const phase of Object.values(result.timings)) expect(phase).toBeGreaterThan(0);
    expect(result.timings.startup).toBeLessThan(result.timings.wall);
    expect(Date.parse(result.endedAt) - Date.parse(result.startedAt)).toBeCloseTo(result.timings.wall, -3);
  });

  it('says what its time went into, every moment once', () => {
    const { split, timings } = run.result;
    for (const part of Object.values(split ?? {})) expect(part).toBeGreaterThanOrEqual(0);
    const total = Object.values(split ?? {}).reduce((sum, part) => sum + part, 0);
    expect(total).toBeGreaterThan(timings.wall - 1);
    expect(total).toBeLessThan(timings.wall + 100);
    expect(split?.model).toBeCloseTo(timings.modelLoad, -1);
    expect(split?.inference).toBeGreaterThanOrEqual(timings.infer - 1);
  });

  it('keeps what each item took', async () => {
    const timings = await job.timings();
    expect(timings.map(({ item }) => item).toSorted()).toEqual(['0', '1', '2', '3', '4', '5']);
    for (const kind of ['fetch', 'decode', 'prepare', 'infer', 'finish', 'encode', 'store'] as const) {
      const sum = timings.reduce((total, item) => total + item[kind], 0);
      expect(Math.abs(sum - run.result.timings[kind])).toBeLessThan(0.5);
    }
  });

  it('leaves its progress as JSON and as metadata', async () => {
    const { progress, metadata } = await job.progress();
    expect(progress).toMatchObject({ batch: 3, attempt: 1, total: 6, done: 6, skipped: 0, failed: 0, phase: 'ended' });
    expect(metadata).toMatchObject({ total: '6', done: '6', skipped: '0', failed: '0', phase: 'ended', attempt: '1' });
    expect(progress.lastItemAt >= progress.startedAt && progress.updatedAt >= progress.lastItemAt).toBe(true);
  });

  it('keeps a log that tells no secret', async () => {
    const log = await job.log();
    expect(log).toBe(run.finished.stdout);
    const lines = log
      .trimEnd()
      .split('\n')
      .map((line) => parseLogLine(line, { job: 'test', batch: 3, attempt: 1 }));
    expect(lines[0]).toMatchObject({ level: 'info', message: 'batch 3, attempt 1: 6 items' });
    expect(lines.at(-1)).toMatchObject({ level: 'info', message: 'completed: 6 scored, 0 skipped, 0 failed' });
    const times = lines.map((line) => Date.parse(line?.time ?? ''));
    expect(times).toEqual(times.toSorted((one, other) => one - other));
    expect(log).not.toMatch(/sig=|https?:/);
  });

  it('stores whole pictures with their content type', async () => {
    const { contentType } = await job.work.getBlobClient('scored/0000000.png').getProperties();
    expect(contentType).toBe('image/png');
  });

  it('skips what exists and needs no model for that', async () => {
    const before = await job.outputs();
    await job.job.getBlobClient('model.onnx').delete();
    const { result } = await job.score(Object.keys(inputs), { SCORER_CODEC: name });
    expect(result).toMatchObject({ outcome: 'completed', attempt: 2, done: [] });
    expect(result.skipped).toHaveLength(6);
    expect(await job.outputs()).toEqual(before);
  });
});

it('writes JPEG where the output is called .jpg, and does an item list of nothing', async () => {
  const job = await ScorerJob.create(inject('storage'), { model: STARRY_NIGHT, card });
  await job.addInputs({ 'a.jpg': await codec.encode(paint(40, 30), 'jpg') });
  expect((await job.score(['a.jpg'])).result.done).toEqual(['a']);
  expect(await sharp(await job.output('a.jpg')).metadata()).toMatchObject({ format: 'jpeg', width: 40, height: 30 });
  expect((await job.score([])).result).toMatchObject({ outcome: 'completed', done: [], skipped: [] });
});
