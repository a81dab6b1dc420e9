import { describe, expect, it } from 'vitest';
import { Canvas, planTiles } from '../../../src/scorer/pictures/tiles.js';
import { cardFor } from '../../support/scorer/one-model.js';

const rule = (size: [number, number], overlap: number) => ({
  fixed: null,
  longestSide: null,
  multipleOf: 1,
  minimum: 1,
  tiles: { size, overlap },
});
const FREE = ['b', 3, 'h', 'w'];

describe('tiles', () => {
  it.each([
    [100, 32, 8],
    [33, 32, 16],
    [64, 32, 16],
    [65, 32, 0],
    [3840, 1024, 128],
    [20, 32, 8],
  ])('of a side of %d in %d with %d in common cover it and count for 1 everywhere', (length, side, overlap) => {
    const tiles = planTiles(rule([side, 4], overlap), { width: length, height: 4 });
    for (const [index, { left, width }] of tiles.entries()) {
      expect(left + width).toBeLessThanOrEqual(length);
      expect((tiles[index - 1]?.left ?? 0) + side - left).toBeGreaterThanOrEqual(index === 0 ? 0 : overlap);
    }
    for (const blend of [0, overlap / 2]) {
      const canvas = new Canvas({ width: length, height: 4 }, { channels: 1, scale: 2, blend });
      for (const tile of tiles) canvas.add(tile, new Uint8Array(tile.width * 2 * 8).fill(200));
      expect(canvas.picture().data.every((value) => value === 200)).toBe(true);
    }
  });
});

describe('a card with tiles', () => {
  const tiled = (tiles: object, more = {}) => ({ input: { size: { tiles } }, ...more });

  it('takes the size of a model that has one', () => {
    expect(cardFor(tiled({}), [1, 3, 256, 512]).input.size.tiles).toEqual({ size: [512, 256], overlap: 64 });
  });

  it.each([
    ['no size', tiled({}), FREE, 'give "size.tiles.size"'],
    ['a size the model does not take', tiled({ size: [64, 64] }), [1, 3, 32, 32], 'leave "size.tiles.size" out'],
    ['too much overlap', tiled({ size: [64, 32], overlap: 17 }), FREE, '"size.tiles.overlap" can be at most 16'],
    [
      'an output that is no picture',
      tiled({ size: [9, 9] }, { output: { kind: 'tensor' } }),
      FREE,
      'leave the tiles out',
    ],
  ])('is refused with %s', (_what, card, shape, says) => {
    expect(() => cardFor(card, shape)).toThrow(says);
  });
});
