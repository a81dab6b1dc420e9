import { describe, expect, it } from 'vitest';
import { cut } from '../../../src/media/split/chunks.js';

/** Frames a second apart with key frames at these. */
const packets = (count: number, ...keys: number[]) =>
  Array.from({ length: count }, (_, time) => ({ time, duration: 1, key: time === 0 || keys.includes(time) }));
const cutInto = (frames: ReturnType<typeof packets>, most: number, pack?: number) =>
  cut(frames, (ticks) => ticks, most, pack);

describe('a long video', () => {
  it('is cut at key frames where each frame is a file of its own', () => {
    expect(cutInto(packets(50, 10, 20, 30, 40), 20)).toEqual([
      { first: 0, count: 20, from: null, to: 19.5, seek: null },
      { first: 20, count: 20, from: 19.5, to: 39.5, seek: 10 },
      { first: 40, count: 10, from: 39.5, to: null, seek: 30 },
    ]);
  });

  it('is cut at the packs behind key frames, and decoding begins a key frame before the one before', () => {
    expect(cutInto(packets(60, 10, 20, 30, 40, 50), 24, 8)).toEqual([
      { first: 0, count: 24, from: null, to: 23.5, seek: null },
      { first: 24, count: 16, from: 23.5, to: 39.5, seek: 10 },
      { first: 40, count: 20, from: 39.5, to: null, seek: 30 },
    ]);
  });

  it('is not cut behind its last whole pack', () => {
    expect(cutInto(packets(21, 20), 16, 16)).toEqual([]);
    expect(cutInto(packets(33, 17), 16, 16).map(({ count }) => count)).toEqual([32, 1]);
  });

  it('has every frame in one chunk, all but the last of whole packs and no longer than asked where key frames allow it', () => {
    for (const count of [30, 64, 97, 200])
      for (const gap of [1, 3, 10, 25])
        for (const pack of [1, 2, 7, 16])
          for (const packs of [1, 2, 5]) {
            const most = pack * packs;
            const keys = Array.from({ length: count }, (_, index) => index).filter((index) => index % gap === 0);
            const chunks = cutInto(packets(count, ...keys), most, pack);
            const what = JSON.stringify({ count, gap, pack, most, chunks });
            let next = 0;
            for (const [index, chunk] of chunks.entries()) {
              const isLast = index === chunks.length - 1;
              expect(chunk.first, what).toBe(next);
              expect(chunk.count, what).toBeGreaterThan(0);
              if (!isLast) expect(chunk.count % pack, what).toBe(0);
              if (gap <= most) expect(chunk.count, what).toBeLessThanOrEqual(most + (isLast ? pack : 0));
              if (chunk.seek !== null) expect(chunk.seek, what).toBeLessThan(Math.max(1, chunk.first));
              next += chunk.count;
            }
            if (chunks.length > 0) expect(next, what).toBe(count);
          }
  });
});
