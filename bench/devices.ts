/**
 * The devices of this machine on the same pictures: what bare `session.run` does, what the scorer does end to end with one and more sessions,
 * what its time goes into, and how far its outputs are from those of the CPU. Storage is in memory, so that it is not what is measured.
 * Run it with `npm run bench:devices -- --devices cuda,webgpu --sizes 480x270:600,1280x720:240`; other options: `--sessions 1,2`,
 * `--model FILE --card FILE`, `--pictures FOLDER` of photos.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import ort from 'onnxruntime-node';
import sharp from 'sharp';
import type { AttemptResult } from '../src/container-contract/result.js';
import { loadSession, runSession } from '../src/scorer/engine/session.js';
import { createSharpCodec } from '../src/scorer/pictures/sharp-codec.js';
import { cardOf, ROOT, ScorerJob } from '../test/support/scorer/harness.js';
import { psnr } from '../test/support/scorer/pictures.js';
import { startMemoryStorage } from './scorer/memory-storage.js';

type Provider = 'cpu' | 'cuda' | 'webgpu';

const { values: options } = parseArgs({
  options: {
    devices: { type: 'string', default: 'cpu' },
    sizes: { type: 'string', default: '480x270:60' },
    sessions: { type: 'string', default: '1' },
    model: { type: 'string', default: path.join(ROOT, 'models/starry-night.onnx') },
    card: { type: 'string' },
    pictures: { type: 'string' },
    cpu: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
/** Different frames of one size; a run repeats them. */
const DIFFERENT = 12;
const BARE_SECONDS = 2;

const model = readFileSync(options.model);
const card = await cardOf(options.model, options.card ?? options.model.replace('.onnx', '.json'));
const makesPictures = card.output.kind === undefined || card.output.kind === 'image';
const codec = createSharpCodec();
const round = (value: number, digits = 2) => Number(value.toFixed(digits));

/** Parts of photos, scaled to one size. */
async function framesOf(width: number, height: number): Promise<Buffer[]> {
  const photos = options.pictures
    ? readdirSync(options.pictures)
        .toSorted()
        .map((name) => path.join(options.pictures ?? '', name))
    : [path.join(ROOT, 'samples/style-waves.jpg')];
  return Promise.all(
    Array.from({ length: DIFFERENT }, async (_, index) => {
      const photo = photos[index % photos.length] ?? '';
      const { width: across, height: down } = await sharp(photo).metadata();
      const cut = Math.floor(index / photos.length) * 8;
      const part = sharp(photo).extract({ left: cut, top: cut, width: across - 2 * cut, height: down - 2 * cut });
      const data = await part
        .resize(width, height, { fit: 'fill' })
        .removeAlpha()
        .toColourspace('srgb')
        .raw()
        .toBuffer();
      return codec.encode({ width, height, data: new Uint8Array(data) }, makesPictures ? 'ppm' : 'jpg');
    }),
  );
}

/** `session.run` on a tensor made beforehand, after two runs that are not counted. */
async function bare(provider: Provider, width: number, height: number): Promise<{ rate: number; first: number }> {
  const session = await loadSession(model, 'The model', {}, provider);
  const name = session.inputNames[0] ?? '';
  const [across, down] = card.input.size.fixed ?? [width, height];
  const count = 3 * across * down;
  const tensor =
    card.input.type === 'float16'
      ? new ort.Tensor(
          'float16',
          Uint16Array.from({ length: count }, (_, index) => 0x5000 + (index % 700)),
          [1, 3, down, across],
        )
      : new ort.Tensor(
          'float32',
          Float32Array.from({ length: count }, (_, index) => 128 + 100 * Math.sin(index / 37)),
          [1, 3, down, across],
        );
  const once = async () => {
    const began = performance.now();
    await runSession(session, { [name]: tensor }, [...session.outputNames]);
    return performance.now() - began;
  };
  const first = await once();
  await once();
  const began = performance.now();
  let runs = 0;
  for (; performance.now() - began < 1000 * BARE_SECONDS; runs += 1) await once();
  const rate = (1000 * runs) / (performance.now() - began);
  await session.release();
  return { rate, first };
}

const STEPS = ['fetch', 'decode', 'prepare', 'infer', 'finish', 'encode', 'store'] as const;
type Step = (typeof STEPS)[number];

interface Scored {
  result: AttemptResult;
  outputs: Buffer[];
  firstItem: number;
  /** Milliseconds of the item in the middle, step by step. */
  usual: Record<Step, number>;
  /** Most MiB of an NVIDIA GPU that were in use; NaN without one. */
  gpuMemory: number;
}

async function score(device: Provider, frames: Buffer[], count: number, sessions: number): Promise<Scored> {
  const storage = await startMemoryStorage();
  try {
    const job = await ScorerJob.create(storage.connectionString, { model, card });
    const ending = makesPictures ? 'ppm' : 'jpg';
    const names = Array.from({ length: count }, (_, index) => `${String(index).padStart(5, '0')}.${ending}`);
    await job.addInputs(
      Object.fromEntries(names.map((name, index) => [name, frames[index % frames.length] ?? Buffer.alloc(0)])),
    );
    const extra = { ...(process.env as Record<string, string>), SCORER_SESSIONS: String(sessions) };
    const memory = watchGpuMemory();
    const { finished, result } = await job.finish(await job.nextAttempt(names, extra, device));
    const gpuMemory = memory();
    if (result.outcome !== 'completed' || result.failed.length > 0)
      throw new Error(`${result.failure?.message ?? JSON.stringify(result.failed.slice(0, 2))} ${finished.stderr}`);
    const timings = await job.timings();
    const usual = Object.fromEntries(
      STEPS.map((step) => [step, round(median(timings.map((item) => item[step])))]),
    ) as Record<Step, number>;
    const outputs = await Promise.all(names.slice(0, DIFFERENT).map((name) => job.output(name)));
    return { result, outputs, firstItem: timings[0]?.infer ?? NaN, usual, gpuMemory };
  } finally {
    storage.close();
  }
}

const median = (values: number[]) => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN;

function watchGpuMemory(): () => number {
  let most = NaN;
  const query = ['--query-gpu=memory.used', '--format=csv,noheader,nounits', '--loop-ms=100'];
  const watch = spawn('nvidia-smi', query, { stdio: ['ignore', 'pipe', 'ignore'] });
  watch.on('error', () => undefined);
  watch.stdout.on('data', (text: Buffer) => {
    for (const line of text.toString().trim().split('\n')) most = Math.max(Number.isNaN(most) ? 0 : most, Number(line));
  });
  return () => {
    watch.kill();
    return most;
  };
}

async function compare(one: Buffer[], other: Buffer[]): Promise<string> {
  if (!makesPictures) {
    const best = (line: Buffer) =>
      (JSON.parse(line.toString()) as { classes: { index: number; score: number }[] }).classes[0];
    const same = one.filter((line, index) => best(line)?.index === best(other[index] ?? line)?.index).length;
    const furthest = Math.max(
      ...one.map((line, index) => Math.abs((best(line)?.score ?? 0) - (best(other[index] ?? line)?.score ?? 0))),
    );
    return `${same} of ${one.length} classes, scores differ by ${furthest.toFixed(5)}`;
  }
  let [most, worst, different, all] = [0, Infinity, 0, 0];
  for (const [index, bytes] of one.entries()) {
    const [a, b] = [(await codec.decode(bytes, 'ppm')).data, (await codec.decode(other[index] ?? bytes, 'ppm')).data];
    worst = Math.min(worst, psnr(a, b));
    for (let at = 0; at < a.length; at += 1) {
      const difference = Math.abs((a[at] ?? 0) - (b[at] ?? 0));
      if (difference > 0) different += 1;
      if (difference > most) most = difference;
    }
    all += a.length;
  }
  return `largest ${most}, ${((100 * different) / all).toFixed(2)} % of bytes, PSNR ${worst.toFixed(1)} dB`;
}

const rows: Record<string, string | number>[] = [];
console.log(`${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, load ${os.loadavg()[0]?.toFixed(1)}`);
for (const size of options.sizes.split(',')) {
  const [, across, down, count] = /^(\d+)x(\d+):(\d+)$/.exec(size) ?? [];
  const [width, height] = [Number(across), Number(down)];
  const frames = await framesOf(width, height);
  const expected = options.cpu ? await score('cpu', frames, DIFFERENT, 1) : undefined;
  for (const device of options.devices.split(',') as Provider[]) {
    try {
      const alone = await bare(device, width, height);
      for (const sessions of options.sessions.split(',').map(Number)) {
        const { result, outputs, firstItem, usual, gpuMemory } = await score(device, frames, Number(count), sessions);
        const { timings, split } = result;
        const rate = (1000 * result.done.length) / (timings.wall - timings.startup);
        const part = (value = NaN) => `${Math.round((100 * value) / (timings.wall - timings.startup))} %`;
        const row = {
          size: `${width}x${height}`,
          ran: result.device,
          bare: round(alone.rate),
          'bare first, ms': round(alone.first, 0),
          scorer: round(rate),
          'scorer/bare': round(rate / alone.rate),
          'load, s': round(timings.modelLoad / 1000),
          'first, ms': round(firstItem, 0),
          ...usual,
          'GPU MiB': gpuMemory,
          inference: part(split?.inference),
          pictures: part(split?.pictures),
          storage: part(split?.storage),
          'against CPU': expected ? await compare(outputs, expected.outputs) : '-',
        };
        rows.push(row);
        console.log(new Date().toISOString(), JSON.stringify(row));
      }
    } catch (error) {
      console.log(`${device} ${size}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
console.table(rows);
