import { describe, expect, it } from 'vitest';
import type { PartialCard } from '../../../src/model-card/schema.js';
import type { FrameOutcome } from '../../../src/scorer/engine/engine-protocol.js';
import type { Optimizer } from '../../../src/scorer/engine/optimized-network.js';
import { constantNode, operatorNode } from '../../../src/scorer/onnx/model-messages.js';
import type { Picture } from '../../../src/scorer/pictures/codec.js';
import { cardFor, load, request, scoreAll } from '../../support/scorer/one-model.js';
import { paint } from '../../support/scorer/pictures.js';
import { modelFile, tensorInfo } from '../../support/scorer/tiny-model.js';

const SHAPE = ['b', 3, 'h', 'w'];
const even = (value: number): Picture => ({ width: 40, height: 30, data: new Uint8Array(3600).fill(value) });

/** Steps one after the other; `Times` and `Plus` with a number. */
function model(...steps: (string | [operator: 'Mul' | 'Add', value: number])[]): Buffer {
  const name = (at: number) => (at === 0 ? 'x' : at === steps.length ? 'y' : `t${at}`);
  return modelFile({
    node: steps.flatMap((step, at) => {
      if (typeof step === 'string') return [operatorNode(step, [name(at)], name(at + 1))];
      const [operator, value] = step;
      const constant = constantNode(`c${at}`, Float32Array.of(value), []);
      return [constant, operatorNode(operator, [name(at), `c${at}`], name(at + 1))];
    }),
    input: [tensorInfo('x', SHAPE)],
    output: [tensorInfo('y', SHAPE)],
  });
}

const failureOf = (outcome: FrameOutcome | undefined) => (outcome?.ok === false ? outcome : undefined);
const outcomesOf = async (bytes: Buffer, pictures: Picture[], card: PartialCard = {}) =>
  (await scoreAll(bytes, cardFor(card, SHAPE), pictures)).outcomes;

/** From 0 to 1, steep enough that a byte is white already. */
const unit = model(['Add', -0.5], ['Mul', 8], 'Sigmoid');

describe('a run of the model that scores nothing', () => {
  async function runsWith(bytes: Buffer, card: PartialCard, optimize: Optimizer): Promise<number[]> {
    const loaded = await load(bytes, cardFor(card, SHAPE), optimize);
    const counts: number[] = [];
    for (const seed of [1, 2]) {
      let count = 0;
      await loaded.score([request(paint(40, 30, seed))], () => (count += 1));
      counts.push(count);
    }
    await loaded.release();
    return counts;
  }

  it('is told before it begins, with the end of the last one, and comes for one picture only', async () => {
    const asItIs = () => undefined;
    const own = model('Identity');
    // It glances at the picture, and finds nothing to run the model for.
    expect(await runsWith(own, {}, asItIs)).toEqual([1, 0]);
    const [doubtful = 0, later] = await runsWith(model('Tanh'), { output: { range: [0, 255] } }, asItIs);
    expect(doubtful).toBeGreaterThan(2);
    expect(later).toBe(0);
    // Two are compared.
    expect(await runsWith(own, {}, (bytes) => bytes)).toEqual([4, 0]);
  });
});

describe('a model that does not say its range', () => {
  it.each<[string, Buffer, PartialCard, RegExp]>([
    ['takes and gives 0 to 1', unit, {}, /come out black.* \{ "input": \{ "range": \[0, 1\] \} \} into the model card/],
    ['takes and gives -1 to 1', model('Tanh'), {}, /black.*"input": \{ "range": \[-1, 1\] \}/],
    ['gives 0 to 1 of bytes', model(['Mul', 1 / 255]), {}, /black.* \{ "output": \{ "range": \[0, 1\] \} \} /],
    ['gives -1 to 1 of bytes', model(['Mul', 2 / 255], ['Add', -1]), {}, /"output": \{ "range": \[-1, 1\] \}/],
    [
      'gives bytes of 0 to 1',
      model(['Mul', 255]),
      { input: { range: [0, 1] } },
      /white.* \{ "output": \{ "range": \[0, 255\] \} \}/,
    ],
    [
      'gives bytes of 0 to 1, saturated',
      model(['Add', -0.5], ['Mul', 8], 'Sigmoid', ['Mul', 255]),
      {},
      /white|one colour/,
    ],
    [
      'takes 0 to 1, gives bytes and cuts off the rest',
      model('Relu', ['Mul', -1], ['Add', 1], 'Relu', ['Mul', -255], ['Add', 255]),
      {},
      /white.* \{ "input": \{ "range": \[0, 1\] \}, "output": \{ "range": \[0, 255\] \} \}/,
    ],
    ['gives no numbers', model('Log'), { input: { range: [-1, 1] } }, /not finite/],
    ['gives one colour', model(['Mul', 0], ['Add', 100]), {}, /one colour: .* values are all 100,.*the right "range"/],
  ])('and %s stops at the first picture with what to write', async (_what, bytes, card, says) => {
    const failure = failureOf((await outcomesOf(bytes, [paint(40, 30)], card))[0]);
    expect(failure).toMatchObject({ kind: 'user', message: expect.stringMatching(says) });
    expect(failure?.message).toContain('--yes');
  });

  it('is not judged by dark or even pictures, which come first in many videos', async () => {
    const pictures = [even(0), even(3), even(128), paint(40, 30)];
    const outcomes = await outcomesOf(unit, pictures);
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, true, false]);
    expect((await outcomesOf(model('Identity'), pictures)).every(({ ok }) => ok)).toBe(true);
  });

  it('is told what to write by a picture of plain colours, too', async () => {
    const picture = paint(40, 30);
    const plain = { ...picture, data: picture.data.map((byte) => (byte > 128 ? 255 : 0)) };
    const clipped = model(['Add', -0.5], ['Mul', 99], 'Sigmoid');
    expect(failureOf((await outcomesOf(clipped, [plain]))[0])?.message).toContain('"input": { "range": [0, 1] }');
  });

  it('scores pictures that it takes as they are', async () => {
    const lines = model(['Add', -100], ['Mul', 99], 'Sigmoid', ['Mul', 255]);
    for (const bytes of [lines, model('Identity'), model(['Mul', 1.4], ['Add', -60]), model(['Mul', -1], ['Add', 255])])
      expect((await outcomesOf(bytes, [paint(40, 30)]))[0]).toMatchObject({ ok: true });
    expect((await outcomesOf(unit, [paint(40, 30)], { input: { range: [0, 1] } }))[0]).toMatchObject({ ok: true });
  });

  it('goes on with a warning when the card says the range', async () => {
    const card = cardFor({ output: { range: [0, 255] } }, SHAPE);
    const loaded = await load(unit, card);
    const first = await loaded.score([request(even(0))]);
    const second = await loaded.score([request(paint(40, 30))]);
    await loaded.release();
    expect(first).not.toHaveProperty('doubt');
    expect(second).toMatchObject({
      outcomes: [{ ok: true }],
      doubt: expect.stringMatching(/black.*"range": \[0, 1\]/),
    });
  });
});
