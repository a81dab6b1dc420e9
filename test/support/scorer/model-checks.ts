import path from 'node:path';
import ort from 'onnxruntime-node';
import sharp from 'sharp';
import { expect, inject } from 'vitest';
import { sharedData } from '../shared-data.js';
import { cardOf, ROOT, ScorerJob } from './harness.js';

export const photo = (width: number, height: number): Promise<Buffer> =>
  sharp(sharedData('images/content/chicago.jpg')).resize(width, height, { fit: 'cover' }).png().toBuffer();

export const pixels = (png: Buffer) => sharp(png).removeAlpha().raw().toBuffer();

/** One frame through the scorer with a card from test/cards, changed by `change`. */
export async function score(
  model: string,
  cardName: string,
  frame: Buffer,
  options: { style?: Buffer; bgr?: boolean } = {},
): Promise<Buffer> {
  const card = await cardOf(sharedData(`models/${model}.onnx`), path.join(ROOT, `test/cards/${cardName}.json`));
  if (options.bgr !== undefined) {
    const channels = options.bgr ? 'BGR' : 'RGB';
    card.input.channels = channels;
    if ('channels' in card.output) card.output.channels = channels;
  }
  const job = await ScorerJob.create(inject('storage'), {
    model: sharedData(`models/${model}.onnx`),
    card,
    style: options.style,
  });
  await job.addInputs({ 'a.png': frame });
  const { result } = await job.score(['a.png']);
  expect(result).toMatchObject({ outcome: 'completed', done: ['a'], failed: [] });
  return job.output('a.png');
}

export async function run(model: string, feeds: Record<string, ort.Tensor>): Promise<ort.Tensor> {
  const session = await ort.InferenceSession.create(sharedData(`models/${model}.onnx`), { logSeverityLevel: 4 });
  const output = (await session.run(feeds))[session.outputNames[0] ?? ''];
  if (output === undefined || !('dims' in output)) throw new Error('no output');
  return output;
}

/** Planes of float values, in the order of `channels`, times `scale`. */
export async function planes(
  png: Buffer,
  width: number,
  height: number,
  channels: number[],
  scale = 1,
): Promise<ort.Tensor> {
  const rgb = await pixels(png);
  const values = channels.flatMap((channel) =>
    Array.from({ length: width * height }, (_, index) => (rgb[index * 3 + channel] ?? NaN) * scale),
  );
  return new ort.Tensor('float32', Float32Array.from(values), [1, 3, height, width]);
}

/** The upper left of planes of float values as RGB bytes. */
export function bytes(
  output: ort.Tensor,
  width: number,
  height: number,
  channels: number[],
  scale = 1,
): Uint8ClampedArray {
  const [, , rows = 0, columns = 0] = output.dims;
  const values = output.data as Float32Array;
  const rgb = new Uint8ClampedArray(width * height * 3);
  for (let index = 0; index < rgb.length; index += 1) {
    const pixel = Math.floor(index / 3);
    const plane = channels.indexOf(index % 3) * rows * columns;
    rgb[index] = (values[plane + Math.floor(pixel / width) * columns + (pixel % width)] ?? NaN) * scale;
  }
  return rgb;
}

export const RGB = [0, 1, 2];
export const BGR = [2, 1, 0];
