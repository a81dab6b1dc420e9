import { describe, expect, inject, it, test } from 'vitest';
import { completeCard } from '../../../src/model-card/complete-card.js';
import type { ModelCard, PartialCard } from '../../../src/model-card/schema.js';
import type { AttemptResult } from '../../../src/container-contract/result.js';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import { ScorerJob } from '../../support/scorer/harness.js';
import { cardFor, load, request, scoreAll } from '../../support/scorer/one-model.js';
import { paint, psnr } from '../../support/scorer/pictures.js';
import { scoringModel, tinyModel } from '../../support/scorer/tiny-model.js';

const codec = createSharpCodec();
const frame = paint(61, 43);
const FREE = ['b', 3, 'h', 'w'];

/** One frame through a scorer with a one-operator model. */
async function score(model: Buffer, card: ModelCard): Promise<{ result: AttemptResult; job: ScorerJob }> {
  const job = await ScorerJob.create(inject('storage'), { model, card });
  await job.addInputs({ 'a.png': await codec.encode(frame, 'png') });
  return { result: (await job.score(['a.png'])).result, job };
}

describe('a model that changes nothing gives the frame back', () => {
  it.each<[string, PartialCard, (number | string)[], 'float32' | 'float16' | 'uint8']>([
    ['padded to blocks', { input: { size: { multipleOf: 16, minimum: 64 } } }, FREE, 'float32'],
    ['with values from -1 to 1, BGR', { input: { range: [-1, 1], channels: 'BGR' } }, FREE, 'float32'],
    ['channels last', {}, ['b', 'h', 'w', 3], 'float32'],
    ['as bytes', {}, ['b', 'h', 'w', 3], 'uint8'],
    ['as halves, less a mean', { input: { mean: [127.5], std: [64, 32, 16] } }, FREE, 'float16'],
    ['two at a time', {}, [2, 3, 43, 61], 'float32'],
  ])('%s', async (_what, partial, shape, type) => {
    const card = cardFor(partial, shape, type);
    const model = await load(tinyModel({ operator: 'Identity', shape, type }), card);
    for (const time of ['first', 'second'])
      expect((await model.score([request(frame)])).outcomes, time).toEqual([
        { ok: true, output: { kind: 'picture', picture: frame } },
      ]);
    await model.release();
  });

  it.each([
    ['of one size', {}, [1, 3, 96, 128]],
    ['of one size, in its proportions', { input: { size: { keepProportions: true } } }, [1, 3, 96, 96]],
    ['up to a longest side', { input: { size: { longestSide: 50, multipleOf: 8 } } }, FREE],
  ])('nearly, %s', async (_what, card, shape) => {
    const { job } = await score(tinyModel({ operator: 'Identity', shape }), cardFor(card, shape));
    const scored = await codec.decode(await job.output('a.png'));
    expect([scored.width, scored.height]).toEqual([61, 43]);
    expect(psnr(scored.data, frame.data)).toBeGreaterThan(28);
  });
});

describe('a model that gives no numbers', () => {
  it('fails the item and says how many', async () => {
    const { result } = await score(
      tinyModel({ operator: 'Log', shape: FREE }),
      cardFor({ input: { range: [-1, 1] }, output: { range: [-1, 1] } }, FREE),
    );
    expect(result).toMatchObject({ outcome: 'completed', done: [] });
    expect(result.failed).toEqual([
      { name: 'a', reason: expect.stringMatching(/^the model gave \d+ of 7869 values that are not finite numbers$/) },
    ]);
  });
});

test('classes that turn out to be many rows of scores are the fault of the card, not of the picture', async () => {
  const card = cardFor({ output: { kind: 'classes' } }, FREE);
  const { outcomes } = await scoreAll(tinyModel({ operator: 'Identity', shape: FREE }), card, [frame]);
  expect(outcomes).toEqual([
    {
      ok: false,
      kind: 'user',
      message: expect.stringContaining('"y" float32 [1,3,43,61] holds more than one row of scores for a picture'),
    },
  ]);
});

test.each<[string, PartialCard['output'], boolean]>([
  ['that are plainly no probabilities are told of', { kind: 'classes' }, true],
  ['that are turned into probabilities are not', { kind: 'classes', softmax: true }, false],
])('scores %s', async (_what, output, told) => {
  const signature = (name: string, shape: number[]) => [{ name, type: 'float32', shape }];
  const card = completeCard(
    { input: { range: [-3, 3] }, output },
    { inputs: signature('x', [1, 3, 4, 4]), outputs: signature('y', [1, 48]) },
  );
  const scored = await scoreAll(scoringModel([1, 3, 4, 4]), card, [paint(4, 4), paint(4, 4)]);
  expect(scored.outcomes).toMatchObject([{ ok: true }, { ok: true }]);
  expect(scored.doubt).toBe(
    told
      ? 'Scores of the classes are below 0 or above 1, so they are no probabilities: if the model gives logits, write "softmax": true into the "output" of the model card.'
      : undefined,
  );
});
