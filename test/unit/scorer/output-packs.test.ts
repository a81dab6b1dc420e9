import { describe, expect, it } from 'vitest';
import { itemName } from '../../../src/container-contract/places.js';
import { PACK_BYTES } from '../../../src/job/plan.js';
import { OutputPacks, type Part } from '../../../src/scorer/run/output-packs.js';

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, k) => first + k);
const itemOf = (index: number) => ({ name: itemName(index), index });
const outputOf = (index: number, bytes = 1) => ({ item: itemOf(index), scored: new Uint8Array(bytes) });

/** Parts as they are stored: `[first, last, …indices that are held]`. */
function recorder(indices: number[], pack: number, seconds?: number) {
  const stored: number[][] = [];
  const clock = { ms: 0 };
  const gate: { store: (part: Part) => Promise<void> } = { store: () => Promise.resolve() };
  const packs = new OutputPacks({
    items: indices.map(itemOf),
    pack,
    seconds,
    now: () => clock.ms,
    store: async (part) => {
      await gate.store(part);
      stored.push([part.first, part.last, ...part.outputs.map(({ item }) => item.index)]);
      const absent = range(part.first, part.last).filter((index) =>
        part.outputs.every(({ item }) => item.index !== index),
      );
      expect(part.absent).toEqual(absent);
    },
  });
  const score = async (...done: number[]) => {
    for (const index of done) await packs.add(index, outputOf(index));
  };
  return { stored, clock, packs, score, gate };
}

describe('output packs', () => {
  it('are stored when their last item is handled, in whatever order that is', async () => {
    const { stored, score } = recorder(range(0, 6), 3);
    await score(1, 0, 3);
    expect(stored).toEqual([]);
    await score(2);
    expect(stored).toEqual([[0, 2, 0, 1, 2]]);
    await score(5, 4);
    expect(stored.at(-1)).toEqual([3, 5, 3, 4, 5]);
    await score(6);
    expect(stored.at(-1)).toEqual([6, 6, 6]);
  });

  it('of one item are stored one by one', async () => {
    const { stored, score } = recorder(range(4, 6), 1, 5);
    await score(5, 4, 6);
    expect(stored).toEqual([
      [5, 5, 5],
      [4, 4, 4],
      [6, 6, 6],
    ]);
  });

  it('tell of items that failed, also when all of them did', async () => {
    const { stored, packs, score } = recorder(range(0, 3), 2);
    await packs.add(0, undefined);
    await score(1);
    await packs.add(3, undefined);
    await packs.add(2, undefined);
    expect(stored).toEqual([
      [0, 1, 1],
      [2, 3],
    ]);
  });

  it('cover no item that is none of the task', async () => {
    const { stored, score } = recorder([1, 2, 4, 5, 6, 9], 6);
    await score(1, 4, 2, 5, 6, 9);
    expect(stored).toEqual([
      [1, 2, 1, 2],
      [4, 5, 4, 5],
      [6, 6, 6],
      [9, 9, 9],
    ]);
  });

  it('are not closed by time when they are to be whole', async () => {
    const { stored, clock, score } = recorder(range(0, 9), 10);
    for (const index of range(0, 8)) {
      clock.ms += 60_000;
      await score(index);
    }
    expect(stored).toEqual([]);
  });

  it('are stored as far as they are when they hold more bytes than was expected of all of them', async () => {
    const { stored, packs } = recorder(range(0, 9), 10);
    const half = PACK_BYTES / 2;
    for (const index of [0, 2, 3]) await packs.add(index, outputOf(index, half));
    expect(stored).toEqual([[0, 0, 0]]);
    for (const index of range(4, 9)) await packs.add(index, outputOf(index));
    expect(stored).toHaveLength(1);
    await packs.add(1, outputOf(1));
    expect(stored.at(-1)).toEqual([1, 9, ...range(1, 9)]);
  });

  it('are stored as far as they are when so much was scored since the last part', async () => {
    const { stored, clock, score } = recorder(range(0, 99), 100, 5);
    for (const index of range(0, 30)) {
      clock.ms += 500;
      await score(index);
    }
    expect(stored.map(([first, last]) => [first, last])).toEqual([
      [0, 9],
      [10, 19],
      [20, 29],
    ]);
  });

  it('are waited for when their rest takes less than half as long', async () => {
    const { stored, clock, score } = recorder(range(0, 13), 14, 5);
    for (const index of range(0, 13)) {
      clock.ms += 500;
      await score(index);
    }
    expect(stored.map(([first, last]) => [first, last])).toEqual([[0, 13]]);
  });

  it('hold one item each where an item takes longer', async () => {
    const { stored, clock, score } = recorder(range(0, 9), 10, 5);
    for (const index of range(0, 3)) {
      clock.ms += 20_000;
      await score(index);
    }
    expect(stored).toEqual(range(0, 3).map((index) => [index, index, index]));
  });

  it('are never closed behind an item that is still being scored', async () => {
    const { stored, clock, score } = recorder(range(0, 99), 100, 5);
    await score(0);
    clock.ms += 6000;
    await score(2, 3, 4);
    expect(stored).toEqual([[0, 0, 0]]);
    clock.ms += 6000;
    await score(5);
    expect(stored).toHaveLength(1);
    await score(1);
    expect(stored.at(-1)).toEqual([1, 5, 1, 2, 3, 4, 5]);
  });

  it('lose no more than 7.5 seconds or one item, whatever the speed, the order and the size', async () => {
    for (const pack of [1, 2, 7, 64])
      for (const each of [10, 90, 400, 1100, 2600, 6000])
        for (const jitter of [0, 3]) {
          const { stored, clock, score } = recorder(range(0, 199), pack, 5);
          let worst = 0;
          // Lanes end out of order by a few items.
          const order = range(0, 199).toSorted(
            (a, b) => a - (a % (jitter + 1)) * 2 - (b - (b % (jitter + 1)) * 2) || a - b,
          );
          for (const [count, index] of order.entries()) {
            clock.ms += each;
            await score(index);
            const held = stored.reduce((sum, [, , ...items]) => sum + items.length, 0);
            worst = Math.max(worst, (count + 1 - held) * each);
          }
          const what = JSON.stringify({ pack, each, jitter, worst, parts: stored.length });
          expect(worst, what).toBeLessThanOrEqual(7500 + (2 * jitter + 1) * each);
          const covered = stored.flatMap(([, , ...items]) => items).toSorted((a, b) => a - b);
          expect(covered, what).toEqual(range(0, 199));
          // No crumbs: a part more than the packs only for each five seconds.
          expect(stored.length, what).toBeLessThanOrEqual(Math.ceil(200 / pack) + (200 * each) / 5000);
        }
  });

  it('store all that was handled when the run ends early, and then each item when it is', async () => {
    const { stored, packs, score } = recorder(range(0, 9), 10, 5);
    await score(0, 1, 3, 4, 8);
    await packs.flush();
    expect(stored).toEqual([
      [0, 1, 0, 1],
      [3, 4, 3, 4],
      [8, 8, 8],
    ]);
    await score(2, 7);
    expect(stored.slice(3)).toEqual([
      [2, 2, 2],
      [7, 7, 7],
    ]);
    await packs.flush();
    expect(stored).toHaveLength(5);
  });

  it('fail the item that completes a part which cannot be stored', async () => {
    const { packs, score, gate } = recorder(range(0, 3), 2);
    gate.store = () => Promise.reject(new Error('full'));
    await score(0);
    await expect(packs.add(1, outputOf(1))).rejects.toThrow('full');
  });

  it('hold back who scores while many bytes are being stored', async () => {
    const { stored, packs, gate } = recorder(range(0, 5), 2);
    const open: (() => void)[] = [];
    gate.store = () => new Promise((resolve) => open.push(resolve));
    const big = (index: number) => packs.add(index, outputOf(index, 20 * 1024 * 1024));
    await big(0);
    const storing = big(1);
    let isHeld = true;
    const next = big(2).then(() => (isHeld = false));
    await new Promise(setImmediate);
    expect([isHeld, stored.length, open.length]).toEqual([true, 0, 1]);
    open[0]?.();
    await Promise.all([storing, next]);
    expect([isHeld, stored.length]).toEqual([false, 1]);
  });
});
