import { readFileSync } from 'node:fs';
import path from 'node:path';
import ort from 'onnxruntime-node';
import sharp from 'sharp';
import { describe, expect, inject, it } from 'vitest';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import { hasSharedData, sharedData } from '../../support/shared-data.js';
import { cardOf, ROOT, ScorerJob } from '../../support/scorer/harness.js';
import { BGR, bytes, photo, pixels, planes, RGB, run, score } from '../../support/scorer/model-checks.js';
import { psnr } from '../../support/scorer/pictures.js';

const codec = createSharpCodec();

describe.skipIf(!hasSharedData)('models with other conventions (needs ../shared/data)', () => {
  it('candy: BGR of one size, and a card that says RGB is found out', async () => {
    const frame = await photo(720, 720);
    const expected = bytes(await run('winml/candy', { inputImage: await planes(frame, 720, 720, BGR) }), 720, 720, BGR);
    expect(psnr(await pixels(await score('winml/candy', 'candy', frame)), expected)).toBe(Infinity);
    expect(psnr(await pixels(await score('winml/candy', 'candy', frame, { bgr: false })), expected)).toBeLessThan(20);
  });

  it('mosaic_nc8_256x256: a frame of another size comes back in its size', async () => {
    const scored = await score('gnsmrky/mosaic_nc8_256x256', 'mosaic_nc8_256x256', await photo(160, 90));
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

  it('microast_dyn: a style picture, scaled as its own size rule says, values from 0 to 1', async () => {
    const frame = await photo(160, 92);
    const style = await sharp(sharedData('images/style/jcj_wave.jpg'))
      .resize(400, 300, { fit: 'fill' })
      .png()
      .toBuffer();
    const small = await sharp(style).resize(256, 192, { fit: 'fill' }).png().toBuffer();
    const feeds = {
      content: await planes(frame, 160, 92, RGB, 1 / 255),
      style: await planes(small, 256, 192, RGB, 1 / 255),
    };
    const expected = bytes(await run('arbitrary/microast_dyn', feeds), 160, 92, RGB, 255);
    expect(
      psnr(await pixels(await score('arbitrary/microast_dyn', 'microast_dyn', frame, { style })), expected),
    ).toBeGreaterThan(70);
  });

  it.each([
    ['without a style picture', undefined, /^The model wants a style picture for its input "style": name one\.$/],
    ['with a style that is no picture', Buffer.from('text'), /^The style picture cannot be used, give a PNG or JPEG: /],
  ])('microast_dyn: %s it fails', async (_, style, sentence) => {
    const model = sharedData('models/arbitrary/microast_dyn.onnx');
    const card = await cardOf(model, path.join(ROOT, 'test/cards/microast_dyn.json'));
    const job = await ScorerJob.create(inject('storage'), { model, card, ...(style && { style }) });
    await job.addInputs({ 'a.png': await photo(32, 32) });
    const { result } = await job.score(['a.png']);
    expect(result.failure).toEqual({ blame: 'user', message: expect.stringMatching(sentence) });
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
