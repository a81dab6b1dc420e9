import { describe, expect, it } from 'vitest';
import type { FrameRequest, ScoredFrames } from '../../../src/scorer/engine/engine-protocol.js';
import { MicroBatches } from '../../../src/scorer/run/micro-batches.js';
import { cardFor, request } from '../../support/scorer/one-model.js';
import { paint } from '../../support/scorer/pictures.js';

describe('the number of frames at a time', () => {
  it('is the model’s, or the card’s where the model leaves it open', () => {
    expect(cardFor({}, [4, 3, 8, 8]).batch).toBe(4);
    expect(cardFor({}, [1, 3, 8, 8]).batch).toBeUndefined();
    expect(cardFor({ batch: 3 }, ['b', 3, 8, 8]).batch).toBe(3);
    expect(() => cardFor({ batch: 3 }, [4, 3, 8, 8])).toThrow('leave "batch" out');
  });
});

const ignore = () => undefined;

describe('MicroBatches', () => {
  function recorder(size: number, expected: number) {
    const sizes: number[] = [];
    const engine = {
      score: (frames: FrameRequest[]): Promise<ScoredFrames> => {
        sizes.push(frames.length);
        const outcomes = frames.map(
          ({ frame }) => ({ ok: true, output: { kind: 'picture', picture: frame } }) as const,
        );
        return Promise.resolve({ outcomes, optimized: false, prepare: 3, infer: 60, finish: 6 });
      },
    };
    return {
      sizes,
      batches: new MicroBatches(engine, size, expected, ignore, { begin: ignore, again: ignore, end: ignore }),
    };
  }
  const frame = paint(2, 2);
  const item = { name: '0000000', index: 0 };

  it('waits for as many frames as the model takes, and at the end for those that still come', async () => {
    const { sizes, batches } = recorder(3, 6);
    const five = Array.from({ length: 5 }, () => batches.score(request(frame), item, ignore));
    expect(sizes).toEqual([3]);
    batches.without();
    await Promise.all(five);
    expect(sizes).toEqual([3, 2]);
  });

  it('shares the time of the engine among the frames', async () => {
    const { batches } = recorder(3, 3);
    const spent: object[] = [];
    await Promise.all(
      Array.from({ length: 3 }, () => batches.score(request(frame), item, (time) => void spent.push(time))),
    );
    const third = { prepare: 1, infer: 20, finish: 2 };
    expect(spent).toEqual([third, third, third]);
  });

  it('waits for nobody once no more items are begun', async () => {
    const { sizes, batches } = recorder(3, 100);
    const first = batches.score(request(frame), item, ignore);
    batches.end();
    await Promise.all([first, batches.score(request(frame), item, ignore)]);
    expect(sizes).toEqual([1, 1]);
  });
});
