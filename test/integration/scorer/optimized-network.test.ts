import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { FrameOutcome } from '../../../src/scorer/engine/engine-protocol.js';
import { constantNode, operatorNode } from '../../../src/scorer/onnx/model-messages.js';
import { cardOf, STARRY_NIGHT } from '../../support/scorer/harness.js';
import { cardFor, load, request, scoreAll } from '../../support/scorer/one-model.js';
import { paint } from '../../support/scorer/pictures.js';
import { modelFile, tensorInfo, tinyModel } from '../../support/scorer/tiny-model.js';

const SHAPE = ['b', 3, 'h', 'w'];
const frame = paint(40, 30);
const model = tinyModel({ operator: 'Identity', shape: SHAPE });
const card = cardFor({}, SHAPE);

/** Gives its input, and adds these values to its columns. */
const adding = (...values: number[]) =>
  modelFile({
    node: [constantNode('c', Float32Array.from(values), [values.length]), operatorNode('Add', ['x', 'c'], 'y')],
    input: [tensorInfo('x', SHAPE)],
    output: [tensorInfo('y', SHAPE)],
  });

const pictureOf = (outcome: FrameOutcome | undefined) =>
  outcome?.ok === true && 'picture' in outcome.output ? outcome.output.picture : undefined;

describe('a model that can be optimized', () => {
  it('runs in its optimized form when that gives the same picture', async () => {
    const scored = await scoreAll(model, card, [frame], () => adding(0.4));
    expect(scored.optimized).toBe(true);
  });

  it('runs as its file says when its card says "optimize": "off"', async () => {
    const off = cardFor({ optimize: 'off' }, SHAPE);
    const scored = await scoreAll(model, off, [frame], () => {
      throw new Error('nobody may ask');
    });
    expect(scored.optimized).toBe(false);
    expect(pictureOf(scored.outcomes[0])).toEqual(frame);
  });

  it('is, for one, the bundled model, whose picture is the same to the last byte or differs by one step', async () => {
    const starry = await cardOf(STARRY_NIGHT);
    const bytes = readFileSync(STARRY_NIGHT);
    // Larger than the part of the picture that is compared.
    const large = paint(300, 280);
    const optimized = await scoreAll(bytes, starry, [large]);
    const own = await scoreAll(bytes, { ...starry, optimize: 'off' }, [large]);
    expect([optimized.optimized, own.optimized]).toEqual([true, false]);
    const expected = pictureOf(own.outcomes[0])?.data ?? new Uint8Array();
    expect(expected).toHaveLength(300 * 280 * 3);
    const found = pictureOf(optimized.outcomes[0])?.data;
    expect(found?.every((byte, index) => Math.abs(byte - (expected[index] ?? NaN)) <= 1)).toBe(true);
  });
});

describe('the file’s own network takes over, from the first frame on, and the reason is said', () => {
  it.each([
    ['when pixels differ by more than one step of a byte', () => adding(1.5), /output "y" differs by 0\.6 %/],
    ['when the optimized network gives no numbers', () => tinyModel({ operator: 'Log', shape: SHAPE }), /not finite/],
    [
      'when the optimized network cannot be run',
      () => adding(0, 0, 0, 0, 0, 0, 0),
      /could not be compared with .*: the model failed/,
    ],
    ['when the optimized network cannot be loaded', () => Buffer.from('no model'), /^optimizing it failed/],
    [
      'when optimizing fails',
      () => {
        throw new Error('a broken weight');
      },
      /^optimizing it failed: a broken weight$/,
    ],
  ])('%s', async (_, optimize, reason) => {
    const dark = { ...frame, data: frame.data.map((byte, index) => (index === 0 ? 0 : byte)) };
    const loaded = await load(model, card, optimize);
    for (const picture of [dark, frame]) {
      const scored = await loaded.score([request(picture)]);
      expect(scored.optimized).toMatch(reason);
      expect(pictureOf(scored.outcomes[0])).toEqual(picture);
    }
    await loaded.release();
  });

  it('for outputs that are no pictures too: by more than 1/255 of the span of their values', async () => {
    const tensor = cardFor({ output: { kind: 'tensor' } }, SHAPE);
    // The values of the frame span 0 to 255 at most.
    expect((await scoreAll(model, tensor, [frame], () => adding(0.5))).optimized).toBe(true);
    expect((await scoreAll(model, tensor, [frame], () => adding(1.5))).optimized).toMatch(/differs/);
  });
});
