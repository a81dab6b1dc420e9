import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import ort from 'onnxruntime-node';
import type { Workload } from './workload.js';

const RUNS = 4;
/** Of 255: two runtimes round differently. */
const TOLERANCE = 0.5;

/** Frames a second of the same network in PyTorch on all cores; undefined where Python has neither torch nor onnx. */
export async function measureTorch({ model, width, height }: Workload): Promise<number | undefined> {
  try {
    execFileSync('/usr/bin/python3', ['-c', 'import torch, onnx'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-torch-'));
  try {
    const expected = path.join(folder, 'expected');
    writeFileSync(expected, await answerOf(model, width, height));
    const script = path.join(import.meta.dirname, 'eager.py');
    const args = [script, model, width, height, os.availableParallelism(), RUNS, expected].map(String);
    const [milliseconds = NaN, difference = NaN] = execFileSync('/usr/bin/python3', args)
      .toString()
      .split(' ')
      .map(Number);
    if (!(difference < TOLERANCE)) throw new Error(`PyTorch answers otherwise: ${difference} of 255`);
    return 1000 / milliseconds;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function answerOf(model: string, width: number, height: number): Promise<Buffer> {
  const session = await ort.InferenceSession.create(model);
  const values = Float32Array.from({ length: 3 * width * height }, (_, index) => 128 + 100 * Math.sin(index / 37));
  const output = await session.run({ image: new ort.Tensor('float32', values, [1, 3, height, width]) });
  const { data } = output['stylized'] as ort.TypedTensor<'float32'>;
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
