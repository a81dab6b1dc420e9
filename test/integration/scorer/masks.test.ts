import sharp from 'sharp';
import { expect, inject, it } from 'vitest';
import { ScorerJob } from '../../support/scorer/harness.js';
import { cardFor } from '../../support/scorer/one-model.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';

it('a scorer stores the mask as a grey PNG of the item’s size', async () => {
  const shape = [1, 3, 20, 30];
  const job = await ScorerJob.create(inject('storage'), {
    model: tinyModel({ operator: 'Identity', shape }),
    card: cardFor({ output: { kind: 'mask' } }, shape),
  });
  const stripes = Buffer.from(
    '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20"><rect width="90" height="20" fill="#00f"/>' +
      '<rect width="30" height="20" fill="#f00"/><rect x="30" width="30" height="20" fill="#0f0"/></svg>',
  );
  await job.addInputs({ 'a.png': await sharp(stripes).png().toBuffer() });
  expect((await job.score(['a.png'])).result).toMatchObject({ done: ['a'], failed: [] });
  const mask = sharp(await job.output('a.png'));
  expect(await mask.metadata()).toMatchObject({ format: 'png', channels: 1, width: 90, height: 20 });
  const row = [...(await mask.toColourspace('b-w').raw().toBuffer()).subarray(0, 90)];
  expect([row[0], row[15], row[45], row[75], row[89]]).toEqual([0, 0, 1, 2, 2]);
});
