import { describe, expect, it } from 'vitest';
import { resultSize } from '../../../src/model-card/complete-size.js';
import type { ImageOutput, SizeRule } from '../../../src/model-card/schema.js';
import { cropOf, planInput } from '../../../src/scorer/pictures/geometry.js';

const rule = (given: Partial<SizeRule>): SizeRule => ({
  fixed: null,
  longestSide: null,
  multipleOf: 1,
  minimum: 1,
  ...given,
});
const size = (width: number, height: number) => ({ width, height });

describe('planInput', () => {
  it.each([
    [rule({}), size(321, 181), size(321, 181), size(321, 181)],
    [rule({ fixed: [720, 720] }), size(321, 181), size(720, 720), size(720, 720)],
    [rule({ fixed: [64, 64], keepProportions: true }), size(321, 181), size(64, 36), size(64, 64)],
    [rule({ fixed: [64, 32], keepProportions: true }), size(10, 20), size(16, 32), size(64, 32)],
    [rule({ fixed: [64, 64], keepProportions: true }), size(1, 900), size(1, 64), size(64, 64)],
    [rule({ multipleOf: 8 }), size(321, 181), size(321, 181), size(328, 184)],
    [rule({ multipleOf: 8 }), size(320, 184), size(320, 184), size(320, 184)],
    [rule({ minimum: 8 }), size(1, 300), size(1, 300), size(8, 300)],
    [rule({ minimum: 9, multipleOf: 4 }), size(1, 1), size(1, 1), size(12, 12)],
    [rule({ longestSide: 256 }), size(1024, 512), size(256, 128), size(256, 128)],
    [rule({ longestSide: 256 }), size(100, 50), size(100, 50), size(100, 50)],
    [rule({ longestSide: 256, multipleOf: 16 }), size(1000, 10), size(256, 3), size(256, 16)],
    [rule({ longestSide: 4 }), size(1000, 1), size(4, 1), size(4, 1)],
  ])('%j of %j', (given, frame, scaled, padded) => {
    expect(planInput(given, frame)).toEqual({ scaled, padded });
  });

  it.each([rule({ longestSide: 256, multipleOf: 16 }), rule({ fixed: [255, 254], keepProportions: true })])(
    'plans a scaled picture as it is: %j',
    (given) => {
      for (const frame of [size(1001, 333), size(333, 1001), size(7, 5), size(1000, 997)]) {
        const { scaled, padded } = planInput(given, frame);
        expect(planInput(given, scaled)).toEqual({ scaled, padded });
      }
    },
  );
});

const image = {
  name: 'y',
  layout: 'NCHW',
  type: 'float32',
  channels: 'RGB',
  range: [0, 255],
  fit: 'crop',
} satisfies ImageOutput;

describe('cropOf', () => {
  const plan = { scaled: size(321, 181), padded: size(321, 181) };

  it('cuts off what a model rounded up', () => {
    expect(cropOf(size(324, 184), plan, { fit: 'crop' })).toEqual(size(321, 181));
  });

  it('cuts off the padding', () => {
    expect(cropOf(size(328, 184), { scaled: size(321, 181), padded: size(328, 184) }, { fit: 'crop' })).toEqual(
      size(321, 181),
    );
  });

  it.each([size(320, 181), size(963, 543), size(321, 300)])('refuses %j', (output) => {
    expect(() => cropOf(output, plan, { fit: 'crop' })).toThrow(
      `the model made ${output.width}x${output.height} pixels of 321x181`,
    );
  });

  it('expects the size of a model that scales', () => {
    const padded = { scaled: size(5, 8), padded: size(8, 8) };
    expect(cropOf(size(24, 24), padded, { fit: 'crop', scale: 3 })).toEqual(size(15, 24));
    expect(() => cropOf(size(8, 8), padded, { fit: 'crop', scale: 3 })).toThrow('"output.scale"');
  });

  it('rounds what a fraction enlarges down, as networks do', () => {
    const odd = { scaled: size(161, 121), padded: size(161, 121) };
    expect(cropOf(size(241, 181), odd, { fit: 'crop', scale: 1.5 })).toEqual(size(241, 181));
    expect(resultSize({ ...image, scale: 1.1 }, size(10, 100))).toEqual(size(11, 110));
    expect(resultSize({ ...image, scale: 0.29 }, size(100, 1))).toEqual(size(29, 1));
  });

  it('cuts off the padding in proportion before scaling back', () => {
    expect(cropOf(size(24, 24), { scaled: size(5, 8), padded: size(8, 8) }, { fit: 'resize' })).toEqual(size(15, 24));
  });
});
