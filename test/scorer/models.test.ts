import { readFileSync } from 'node:fs';
import path from 'node:path';
import ort from 'onnxruntime-node';
import sharp from 'sharp';
import { describe, expect, inject, it } from 'vitest';
import { createSharpCodec } from '../../src/scorer/sharp-codec.js';
import { hasSharedData, sharedData } from '../support/shared-data.js';
import { cardOf, ROOT, ScorerJob } from './harness.js';
import { psnr } from './pictures.js';

const codec = createSharpCodec();

const photo = (width: number, height: number): Promise<Buffer> =>
  sharp(sharedData('images/content/chicago.jpg')).resize(width, height, { fit: 'cover' }).png().toBuffer();

const pixels = (png: Buffer) => sharp(png).removeAlpha().raw().toBuffer();

/** One frame through the scorer with a card from test/cards, changed by `change`. */
async function score(
  model: string,
  cardName: string,
  frame: Buffer,
  options: { style?: Buffer; bgr?: boolean } = {},
): Promise<Buffer> {
  const card = await cardOf(sharedData(`models/${model}.onnx`), path.join(ROOT, `test/cards/${cardName}.json`));
  if (options.bgr !== undefined) {
    const channels = options.bgr ? 'BGR' : 'RGB';
    card.input.channels = channels;
    card.output.channels = channels;
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

async function run(model: string, feeds: Record<string, ort.Tensor>): Promise<ort.Tensor> {
  const session = await ort.InferenceSession.create(sharedData(`models/${model}.onnx`), { logSeverityLevel: 4 });
  const output = (await session.run(feeds))[session.outputNames[0] ?? ''];
  if (output === undefined || !('dims' in output)) throw new Error('no output');
  return output;
}

/** Planes of float values, in the order of `channels`, times `scale`. */
async function planes(png: Buffer, width: number, height: number, channels: number[], scale = 1): Promise<ort.Tensor> {
  const rgb = await pixels(png);
  const values = channels.flatMap((channel) =>
    Array.from({ length: width * height }, (_, index) => (rgb[index * 3 + channel] ?? NaN) * scale),
  );
  return new ort.Tensor('float32', Float32Array.from(values), [1, 3, height, width]);
}

/** The upper left of planes of float values as RGB bytes. */
function bytes(output: ort.Tensor, width: number, height: number, channels: number[], scale = 1): Uint8ClampedArray {
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

const RGB = [0, 1, 2];
const BGR = [2, 1, 0];

describe.skipIf(!hasSharedData)('models with other conventions (needs ../shared/data)', () => {
  it('candy: BGR of one size, and a card that says RGB is found out', async () => {
    const frame = await photo(720, 720);
    const expected = bytes(await run('winml/candy', { inputImage: await planes(frame, 720, 720, BGR) }), 720, 720, BGR);
    expect(psnr(await pixels(await score('winml/candy', 'candy', frame)), expected)).toBe(Infinity);
    expect(psnr(await pixels(await score('winml/candy', 'candy', frame, { bgr: false })), expected)).toBeLessThan(20);
  });

  it('candy: a frame of another size comes back in its size', async () => {
    const scored = await score('winml/candy', 'candy', await photo(160, 90));
    expect(await sharp(scored).metadata()).toMatchObject({ width: 160, height: 90 });
  });

  it('mosaic_nc8_u8_nhwc: bytes, channels last, an odd size', async () => {
    const frame = await photo(161, 91);
    const output = await run('derived/mosaic_nc8_u8_nhwc', {
      image_u8: new ort.Tensor('uint8', await pixels(frame), [1, 91, 161, 3]),
    });
    expect(output.dims).toEqual([1, 92, 164, 3]);
    const expected = await sharp(output.data as Uint8Array, { raw: { width: 164, height: 92, channels: 3 } })
      .extract({ left: 0, top: 0, width: 161, height: 91 })
      .raw()
      .toBuffer();
    expect(psnr(await pixels(await score('derived/mosaic_nc8_u8_nhwc', 'mosaic_nc8_u8_nhwc', frame)), expected)).toBe(
      Infinity,
    );
  });

  it('microast_dyn: a style picture, values from 0 to 1', async () => {
    const [frame, style] = [
      await photo(160, 92),
      await sharp(sharedData('images/style/jcj_wave.jpg')).resize(128, 96, { fit: 'fill' }).png().toBuffer(),
    ];
    const feeds = {
      content: await planes(frame, 160, 92, RGB, 1 / 255),
      style: await planes(style, 128, 96, RGB, 1 / 255),
    };
    const expected = bytes(await run('arbitrary/microast_dyn', feeds), 160, 92, RGB, 255);
    expect(
      psnr(await pixels(await score('arbitrary/microast_dyn', 'microast_dyn', frame, { style })), expected),
    ).toBeGreaterThan(70);
  });

  it('microast_dyn: without a style picture it fails', async () => {
    const card = await cardOf(
      sharedData('models/arbitrary/microast_dyn.onnx'),
      path.join(ROOT, 'test/cards/microast_dyn.json'),
    );
    const job = await ScorerJob.create(inject('storage'), {
      model: sharedData('models/arbitrary/microast_dyn.onnx'),
      card,
    });
    await job.addInputs({ 'a.png': await photo(32, 32) });
    const { result } = await job.score(['a.png']);
    expect(result.failure).toEqual({
      kind: 'user',
      message: 'The model wants a style picture for its input "style": name one.',
    });
  });

  it('microast_dyn: a style that is no picture fails', async () => {
    const card = await cardOf(
      sharedData('models/arbitrary/microast_dyn.onnx'),
      path.join(ROOT, 'test/cards/microast_dyn.json'),
    );
    const job = await ScorerJob.create(inject('storage'), {
      model: sharedData('models/arbitrary/microast_dyn.onnx'),
      card,
      style: Buffer.from('text'),
    });
    await job.addInputs({ 'a.png': await photo(32, 32) });
    const { result } = await job.score(['a.png']);
    expect(result.failure?.kind).toBe('user');
    expect(result.failure?.message).toMatch(/^The style picture cannot be used, give a PNG or JPEG: /);
  });

  it('mosaic_nc8_dyn comes close to its author’s picture, with other channels it does not', async () => {
    const model = 'gnsmrky_dynamic/mosaic_nc8_dyn';
    const frame = await codec.encode(
      await codec.decode(readFileSync(sharedData('images/content/gns_amber.jpg'))),
      'png',
    );
    const reference = await pixels(readFileSync(sharedData('images/reference_outputs/gns_amber-mosaic_nc8.jpg')));
    expect(psnr(await pixels(await score(model, 'mosaic_nc8_dyn', frame)), reference)).toBeGreaterThan(25);
    expect(psnr(await pixels(await score(model, 'mosaic_nc8_dyn', frame, { bgr: true })), reference)).toBeLessThan(20);
  });
});
