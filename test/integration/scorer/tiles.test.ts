import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ModelCard, PartialSize } from '../../../src/model-card/schema.js';
import type { Picture } from '../../../src/scorer/pictures/codec.js';
import { cardOf, STARRY_NIGHT } from '../../support/scorer/harness.js';
import { cardFor, scoreAll } from '../../support/scorer/one-model.js';
import { paint } from '../../support/scorer/pictures.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';

const rule = (size: [number, number], overlap: number) => ({
  fixed: null,
  longestSide: null,
  multipleOf: 1,
  minimum: 1,
  tiles: { size, overlap },
});
const FREE = ['b', 3, 'h', 'w'];

async function score(model: Uint8Array, card: ModelCard, frame: Picture): Promise<Picture> {
  const [outcome] = (await scoreAll(model, card, [frame])).outcomes;
  if (outcome?.ok !== true || !('picture' in outcome.output)) throw new Error(JSON.stringify(outcome));
  return outcome.output.picture;
}

const largestDifference = (one: Picture, other: Picture) =>
  one.data.reduce((most, value, index) => Math.max(most, Math.abs(value - (other.data[index] ?? NaN))), 0);

describe('tiles', () => {
  const frame = paint(101, 75);

  it.each<[string, PartialSize, (number | string)[]]>([
    ['of a model of one size', { tiles: {} }, [1, 3, 32, 48]],
    ['of one size, four at a time', { tiles: {} }, [4, 3, 32, 48]],
    ['of a model of any size, in blocks', { tiles: { size: [40, 40] }, multipleOf: 16 }, FREE],
    ['without overlap', { tiles: { size: [40, 40], overlap: 0 } }, FREE],
  ])('%s give back a frame that the model does not change', async (_what, size, shape) => {
    const card = cardFor({ input: { size } }, shape);
    expect(await score(tinyModel({ operator: 'Identity', shape }), card, frame)).toEqual(frame);
  });

  it('pad a frame that is smaller than a model of one size', async () => {
    const card = cardFor({ input: { size: { tiles: {} } } }, [1, 3, 128, 128]);
    expect(await score(tinyModel({ operator: 'Identity', shape: [1, 3, 128, 128] }), card, frame)).toEqual(frame);
  });

  it('have no seams with a network of convolutions: the same as the whole frame', async () => {
    const model = tinyModel({
      operator: 'AveragePool',
      shape: FREE,
      attributes: { kernel_shape: [7, 7], pads: [3, 3, 3, 3] },
    });
    const whole = await score(model, cardFor({}, FREE), frame);
    const tiled = cardFor({ input: { size: { tiles: { size: [48, 40], overlap: 16 } } } }, FREE);
    expect(largestDifference(await score(model, tiled, frame), whole)).toBe(0);
    const butted = cardFor({ input: { size: { tiles: { size: [48, 40], overlap: 0 } } } }, FREE);
    expect(largestDifference(await score(model, butted, frame), whole)).toBeGreaterThan(5);
  });

  it('of masks keep classes apart', async () => {
    const card = cardFor({ input: { size: { tiles: { size: [48, 40] } } }, output: { kind: 'mask' } }, FREE);
    const model = tinyModel({ operator: 'Identity', shape: FREE });
    const whole = await score(model, cardFor({ output: { kind: 'mask' } }, FREE), frame);
    expect(await score(model, card, frame)).toEqual(whole);
  });

  it('show no step where they meet with a network that normalises each tile by itself', async () => {
    const model = readFileSync(STARRY_NIGHT);
    const card = await cardOf(STARRY_NIGHT);
    const large = paint(320, 96);
    const steps = async (overlap: number) => {
      card.input.size = rule([184, 96], overlap);
      return columnSteps(await score(model, card, large));
    };
    const middle = 160;
    const [blended, butted] = [await steps(48), await steps(0)];
    const usual = Math.max(...blended.slice(8, 100), ...blended.slice(220, 312));
    expect(Math.max(...blended.slice(middle - 40, middle + 40))).toBeLessThanOrEqual(usual);
    expect(Math.max(...butted.slice(middle - 2, middle + 2))).toBeGreaterThan(usual);
  });
});

/** Mean difference of each column from the one before it. */
function columnSteps({ width, height, data }: Picture): number[] {
  return Array.from({ length: width }, (_, x) => {
    let sum = 0;
    for (let y = 0; y < height; y += 1)
      for (let channel = 0; channel < 3; channel += 1) {
        const at = (y * width + x) * 3 + channel;
        sum += Math.abs((data[at] ?? 0) - (data[x === 0 ? at : at - 3] ?? 0));
      }
    return sum / height / 3;
  });
}
