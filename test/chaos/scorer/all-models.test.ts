import { readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { fromHalves, toHalf } from '../../../src/scorer/tensors/tensor.js';
import { hasSharedData, sharedData } from '../../support/shared-data.js';
import { BGR, bytes, photo, pixels, planes, RGB, run, score } from '../../support/scorer/model-checks.js';
import { psnr } from '../../support/scorer/pictures.js';

interface Line {
  item: string;
  classes: { index: number; label?: string; score: number }[];
  detections: { index: number; label?: string; score: number; box: [number, number, number, number] }[];
}

async function lineOf(model: string, card: string, frame: Buffer): Promise<Line> {
  const text = (await score(model, card, frame)).toString();
  expect(text).toMatch(/^\{.*\}\n$/);
  return JSON.parse(text) as Line;
}

const chelsea = hasSharedData ? readFileSync(sharedData('images/content/chelsea.png')) : Buffer.alloc(0);

/** A digit of light strokes on black, 280x280. */
const digit = (strokes: string) =>
  sharp(
    Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" width="280" height="280"><rect width="280" height="280"/>
       <path d="${strokes}" fill="none" stroke="white" stroke-width="22" stroke-linecap="round"/></svg>`,
    ),
  )
    .png()
    .toBuffer();

describe.skipIf(!hasSharedData)('models that give no picture (needs ../shared/data)', () => {
  it('SqueezeNet_fp16: halves, blue first, less a mean: the cat is an Egyptian cat', async () => {
    const frame = await sharp(chelsea).resize(224, 224, { fit: 'fill' }).png().toBuffer();
    const { data } = await planes(frame, 224, 224, BGR);
    const halves = Uint16Array.from(data as Float32Array, (value, index) =>
      toHalf(value - ([104, 117, 123][Math.floor(index / 224 / 224)] ?? NaN)),
    );
    const output = await run('classify/SqueezeNet_fp16', {
      data_0: new ort.Tensor('float16', halves, [1, 3, 224, 224]),
    });
    const line = await lineOf('classify/SqueezeNet_fp16', 'SqueezeNet_fp16', frame);
    expect(line.item).toBe('a');
    expect(line.classes).toHaveLength(3);
    const [best] = line.classes;
    expect(best).toEqual({ index: 285, score: fromHalves(output.data as Uint16Array)[285] });
    // 0.54 with other ways to scale the photo down.
    expect(best?.score).toBeGreaterThan(0.5);
  });

  it('SqueezeNet_fp16: a card that says RGB is found out', async () => {
    const line = await lineOf('classify/SqueezeNet_fp16', 'SqueezeNet_fp16', chelsea);
    const wrong = JSON.parse(
      (await score('classify/SqueezeNet_fp16', 'SqueezeNet_fp16', chelsea, { bgr: false })).toString(),
    ) as Line;
    expect(Math.abs((wrong.classes[0]?.score ?? 0) - (line.classes[0]?.score ?? 0))).toBeGreaterThan(0.1);
  });

  it.each([
    ['one', 1, 'M140 50 L140 230'],
    ['seven', 7, 'M70 60 L205 60 L125 230'],
    ['zero', 0, 'M140 50 C60 50 60 230 140 230 C220 230 220 50 140 50'],
  ])('mnist: grey, the digit %s', async (label, index, strokes) => {
    const { classes } = await lineOf('classify/mnist', 'mnist', await digit(strokes));
    expect(classes[0]).toMatchObject({ index, label });
    expect(classes[0]?.score).toBeGreaterThan(0.8);
    expect(classes).toHaveLength(2);
  });

  it('ultraface: two outputs: one face, in pixels of the photo', async () => {
    const photograph = readFileSync(sharedData('images/content/satya.jpg'));
    const { width, height } = await sharp(photograph).metadata();
    const { detections } = await lineOf('detect/ultraface_version-RFB-320', 'ultraface', photograph);
    expect(detections).toHaveLength(1);
    const [face] = detections;
    expect(face).toMatchObject({ index: 1, label: 'face' });
    expect(face?.score).toBeCloseTo(0.99, 1);
    const [left, top, right, bottom] = face?.box ?? [0, 0, 0, 0];
    expect(right - left).toBeGreaterThan(width / 20);
    expect(bottom - top).toBeGreaterThan(height / 20);
    expect(Math.min(left, top, width - right, height - bottom)).toBeGreaterThanOrEqual(0);
  });
});

describe.skipIf(!hasSharedData)('further models that give pictures (needs ../shared/data)', () => {
  it('super_resolution: one channel of brightness, three times the size, colours from the frame', async () => {
    const large = await photo(672, 672);
    const frame = await sharp(large).resize(224, 224).png().toBuffer();
    const scored = await score('superres/super_resolution', 'super_resolution', frame);
    expect(await sharp(scored).metadata()).toMatchObject({ width: 672, height: 672 });
    const result = await pixels(scored);
    const rgb = await pixels(frame);
    const brightness = (data: Buffer, at: number) =>
      Math.round(0.299 * (data[at] ?? 0) + 0.587 * (data[at + 1] ?? 0) + 0.114 * (data[at + 2] ?? 0));
    const values = Float32Array.from({ length: 224 * 224 }, (_, index) => brightness(rgb, index * 3) / 255);
    const output = await run('superres/super_resolution', {
      input: new ort.Tensor('float32', values, [1, 1, 224, 224]),
    });
    const expected = Uint8ClampedArray.from(output.data as Float32Array, (value) => value * 255);
    const found = Array.from({ length: 672 * 672 }, (_, index) => brightness(result, index * 3));
    expect(psnr(found, expected)).toBeGreaterThan(40);
    expect(psnr(result, await pixels(large))).toBeGreaterThan(20);
  });

  it('Add_ImageNet224: the second input is a constant', async () => {
    const frame = await photo(224, 224);
    const result = await pixels(await score('misc/Add_ImageNet224', 'Add_ImageNet224', frame));
    expect(
      psnr(
        result,
        Uint8ClampedArray.from(await pixels(frame), (byte) => byte + 20),
      ),
    ).toBe(Infinity);
  });

  it('wave_nhwc: floats, channels last', async () => {
    const frame = await photo(64, 48);
    const values = Float32Array.from(await pixels(frame));
    const output = await run('lengstrom_converted/wave_nhwc', {
      input_image: new ort.Tensor('float32', values, [1, 48, 64, 3]),
    });
    const expected = Uint8ClampedArray.from(output.data as Float32Array);
    const scored = await score('lengstrom_converted/wave_nhwc', 'wave_nhwc', frame);
    expect(psnr(await pixels(scored), expected)).toBe(Infinity);
  });

  // Windows ML's mosaic, of 720x720 and BGR, is candy with other weights: see models.test.ts.
  it.each([
    ['gnsmrky/mosaic_nc8_256x256', 'mosaic_nc8_256x256', 'input.1', 256],
    ['derived/udnie_fp16w_fp32io', 'udnie_fp16w_fp32io', 'input_image', 96],
  ])('%s: exactly what the network gives, and other channels are found out', async (model, card, input, side) => {
    const frame = await photo(side, side);
    const expected = bytes(await run(model, { [input]: await planes(frame, side, side, RGB) }), side, side, RGB);
    expect(psnr(await pixels(await score(model, card, frame)), expected)).toBe(Infinity);
    const wrong = await score(model, card, frame, { bgr: true });
    expect(psnr(await pixels(wrong), expected)).toBeLessThan(25);
  });

  it('udnie_nc8_dyn comes close to its author’s picture', async () => {
    const frame = await sharp(sharedData('images/content/gns_amber.jpg')).png().toBuffer();
    const reference = await pixels(readFileSync(sharedData('images/reference_outputs/gns_amber-udnie_nc8.jpg')));
    const scored = await pixels(await score('gnsmrky_dynamic/udnie_nc8_dyn', 'udnie_nc8_dyn', frame));
    expect(psnr(scored, reference)).toBeGreaterThan(30);
  });
});
