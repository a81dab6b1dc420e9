import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import ort from 'onnxruntime-node';
import { waves, type Workload } from './workload.js';

/** Debian's, which its package python3-torch is for. */
const PYTHON = '/usr/bin/python3';
/** Of four runs, each time another speed came out, from 5.5 to 9.4 frames a second. */
const SHARE_OF_FRAMES = 1 / 6;
/** Of 255: two runtimes round differently. */
const TOLERANCE = 0.5;

/** Frames a second of the same network in PyTorch on all cores; undefined where Python has neither torch nor onnx. */
export async function measureTorch({ model, width, height, frames }: Workload): Promise<number | undefined> {
  try {
    execFileSync(PYTHON, ['-c', 'import torch, onnx'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-torch-'));
  try {
    const [image, expected] = [path.join(folder, 'image'), path.join(folder, 'expected')];
    const values = waves(width, height);
    writeFileSync(image, values);
    writeFileSync(expected, await answerOf(model, width, height, values));
    const script = path.join(import.meta.dirname, 'eager.py');
    const runs = Math.ceil(frames * SHARE_OF_FRAMES);
    const args = [script, model, width, height, os.availableParallelism(), runs, image, expected].map(String);
    const [milliseconds = NaN, difference = NaN] = execFileSync(PYTHON, args).toString().split(' ').map(Number);
    if (!(difference < TOLERANCE)) throw new Error(`PyTorch answers otherwise: ${difference} of 255`);
    return 1000 / milliseconds;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function answerOf(model: string, width: number, height: number, values: Float32Array): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(model);
  const output = await session.run({ image: new ort.Tensor('float32', values, [1, 3, height, width]) });
  return (output['stylized'] as ort.TypedTensor<'float32'>).data;
}
