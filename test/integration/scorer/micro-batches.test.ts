import { readFileSync } from 'node:fs';
import { describe, expect, inject, it } from 'vitest';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import { cardOf, ScorerJob, STARRY_NIGHT } from '../../support/scorer/harness.js';
import { cardFor, scoreAll } from '../../support/scorer/one-model.js';
import { paint } from '../../support/scorer/pictures.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';

const codec = createSharpCodec();

describe('frames that are scored together', () => {
  it('are each the same as alone', async () => {
    const pictures = [1, 2, 3].map((seed) => paint(48, 40, seed));
    const card = await cardOf(STARRY_NIGHT);
    const model = readFileSync(STARRY_NIGHT);
    const alone = await scoreAll(model, card, pictures);
    const together = await scoreAll(model, { ...card, batch: 3 }, pictures);
    expect(together.outcomes).toHaveLength(3);
    expect(together.outcomes).toEqual(alone.outcomes);
  });

  it('may differ in size', async () => {
    const pictures = [paint(20, 10), paint(20, 10, 1), paint(10, 20), paint(20, 10, 2)];
    const shape = ['b', 3, 'h', 'w'];
    const { outcomes } = await scoreAll(
      tinyModel({ operator: 'Identity', shape }),
      cardFor({ batch: 4 }, shape),
      pictures,
    );
    expect(
      outcomes.map((outcome) => (outcome.ok && 'picture' in outcome.output ? outcome.output.picture : null)),
    ).toEqual(pictures);
  });

  it('fail alone', async () => {
    const white = { width: 4, height: 4, data: new Uint8Array(48).fill(255) };
    const dark = { width: 4, height: 4, data: new Uint8Array(48).fill(9) };
    const shape = [3, 3, 4, 4];
    const card = cardFor({ input: { range: [-1, 1] } }, shape);
    const { outcomes } = await scoreAll(tinyModel({ operator: 'Log', shape }), card, [white, dark, white, white]);
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true, true]);
    expect(outcomes[1]).toMatchObject({ kind: 'item', message: expect.stringContaining('48 of 48 values') });
  });
});

it('a scorer feeds a model of four frames four at a time, and one broken file costs nobody else', async () => {
  const shape = [4, 3, 12, 16];
  const job = await ScorerJob.create(inject('storage'), {
    model: tinyModel({ operator: 'Identity', shape }),
    card: cardFor({}, shape),
  });
  const pictures = Array.from({ length: 10 }, (_, index) => paint(16, 12, index));
  const inputs: Record<string, Buffer> = { 'x.png': Buffer.from('no picture') };
  for (const [index, picture] of pictures.entries()) inputs[`${index}.png`] = await codec.encode(picture, 'png');
  await job.addInputs(inputs);
  const { result } = await job.score(Object.keys(inputs));
  expect(result).toMatchObject({ outcome: 'completed', failed: [{ name: 'x' }] });
  expect(result.done).toHaveLength(10);
  for (const [index, picture] of pictures.entries())
    expect(await codec.decode(await job.output(`${index}.png`))).toEqual(picture);
});
