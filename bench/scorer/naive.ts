import os from 'node:os';
import { Jimp, JimpMime } from 'jimp';
import ort from 'onnxruntime-node';
import type { Workload } from './workload.js';

/** A few frames tell the speed of a loop. */
const FRAMES = 12;

/** Frames a second of the loop one would write first: decode by jimp, run, encode by jimp, one after another, no storage. */
export async function measureNaive({ model, pictures }: Workload): Promise<number> {
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: os.availableParallelism() });
  const files = Object.values(pictures).slice(0, FRAMES);
  const began = performance.now();
  for (const file of files) await scoreOne(session, file);
  return (1000 * files.length) / (performance.now() - began);
}

async function scoreOne(session: ort.InferenceSession, file: Buffer): Promise<void> {
  const { bitmap } = await Jimp.fromBuffer(file);
  const { width, height, data } = bitmap;
  const plane = width * height;
  const values = new Float32Array(3 * plane);
  for (let pixel = 0; pixel < plane; pixel += 1)
    for (let channel = 0; channel < 3; channel += 1) values[channel * plane + pixel] = data[pixel * 4 + channel] ?? 0;
  const feeds = { [session.inputNames[0] ?? '']: new ort.Tensor('float32', values, [1, 3, height, width]) };
  const output = (await session.run(feeds))[session.outputNames[0] ?? ''];
  if (output === undefined || !('dims' in output) || !(output.data instanceof Float32Array))
    throw new Error('no output');
  const [, , rows = 0, columns = 0] = output.dims;
  for (let pixel = 0; pixel < plane; pixel += 1)
    for (let channel = 0; channel < 3; channel += 1) {
      const at = channel * rows * columns + Math.floor(pixel / width) * columns + (pixel % width);
      data[pixel * 4 + channel] = Math.min(255, Math.max(0, Math.round(output.data[at] ?? 0)));
    }
  await Jimp.fromBitmap({ width, height, data }).getBuffer(JimpMime.png);
}
