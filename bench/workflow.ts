/**
 * How much the workflow costs on top of the work itself: the demo's wall time over the time of ffmpeg splitting the clip,
 * a bare loop of session.run over the same frames on preloaded tensors, and ffmpeg stitching. All in one run, the bare
 * work before and after the demo.
 * Run it with `npm run bench`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import ort from 'onnxruntime-node';
import sharp from 'sharp';
import { findFfmpeg } from '../src/media/media.js';

const ROOT = path.resolve(import.meta.dirname, '..');
const CLIP = path.join(ROOT, 'samples/coast.mp4');
const { ffmpeg } = findFfmpeg({}, process.env.PATH ?? '');
async function timed(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

const run = (args: string[]) =>
  execFileSync(ffmpeg, ['-hide_banner', '-loglevel', 'error', '-y', ...args], { stdio: 'inherit' });

async function toTensor(file: string): Promise<{ tensor: ort.Tensor; width: number; height: number }> {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const plane = info.width * info.height;
  const values = new Float32Array(3 * plane);
  for (let pixel = 0; pixel < plane; pixel += 1)
    for (let c = 0; c < 3; c += 1) values[c * plane + pixel] = data[pixel * 3 + c] ?? 0;
  return {
    tensor: new ort.Tensor('float32', values, [1, 3, info.height, info.width]),
    width: info.width,
    height: info.height,
  };
}

async function save(values: Float32Array, width: number, height: number, file: string): Promise<void> {
  const plane = width * height;
  const data = Buffer.alloc(3 * plane);
  for (let pixel = 0; pixel < plane; pixel += 1)
    for (let c = 0; c < 3; c += 1) data[pixel * 3 + c] = Math.round(values[c * plane + pixel] ?? 0);
  await sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toFile(file);
}

interface Bare {
  split: number;
  inference: number;
  stitch: number;
}

/** The work itself, without any workflow. */
async function bareWork(): Promise<Bare> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-'));
  try {
    const split = await timed(() => run(['-i', CLIP, '-vsync', '0', path.join(folder, 'in-%04d.png')]));
    const names = readdirSync(folder).toSorted();
    const frames = await Promise.all(names.map((name) => toTensor(path.join(folder, name))));
    const session = await ort.InferenceSession.create(path.join(ROOT, 'models/starry-night.onnx'), {
      intraOpNumThreads: os.availableParallelism(),
    });
    const outputs: Float32Array[] = [];
    const inference = await timed(async () => {
      for (const { tensor } of frames)
        outputs.push((await session.run({ image: tensor })).stylized?.data as Float32Array);
    });
    await session.release();
    for (const [index, values] of outputs.entries()) {
      const { width, height } = frames[index] ?? { width: 0, height: 0 };
      await save(values, width, height, path.join(folder, `out-${String(index).padStart(4, '0')}.png`));
    }
    const frameFiles = ['-framerate', '24', '-i', path.join(folder, 'out-%04d.png')];
    const sound = ['-i', CLIP, '-map', '0:v', '-map', '1:a', '-c:a', 'copy'];
    const encode = ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '16', '-pix_fmt', 'yuv420p'];
    const stitch = await timed(() => run([...frameFiles, ...sound, ...encode, path.join(folder, 'out.mp4')]));
    return { split, inference, stitch };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// The machine's own speed drifts: the bare work is timed before and after the demo.
const before = await bareWork();
const demo = await timed(() =>
  execFileSync('npm', ['run', 'demo'], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] }),
);
const after = await bareWork();
const sum = ({ split, inference, stitch }: Bare) => split + inference + stitch;
const bare = (sum(before) + sum(after)) / 2;
console.table({
  'bare work before': { ...before, sum: sum(before) },
  'bare work after': { ...after, sum: sum(after) },
  'npm run demo (build included)': { sum: demo },
});
console.log(
  `${os.cpus()[0]?.model}, ${os.availableParallelism()} cores: workflow overhead ${(demo / bare).toFixed(2)} × (bar: at most 1.5)`,
);
