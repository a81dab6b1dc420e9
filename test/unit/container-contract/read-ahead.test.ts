import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { readAhead } from '../../../src/container-contract/read-ahead.js';

async function settle(): Promise<void> {
  for (let index = 0; index < 20; index += 1) await turn();
}

async function collect(values: AsyncIterable<number>): Promise<number[]> {
  const found: number[] = [];
  for await (const value of values) found.push(value);
  return found;
}

describe('reading ahead', () => {
  /** Numbers up to `count`, and how far the source has come. */
  function source(count: number, failAt = Infinity) {
    const seen = { given: 0, ended: false };
    async function* numbers() {
      try {
        for (let index = 0; index < count; index += 1) {
          await turn();
          if (index === failAt) throw new Error('broken');
          seen.given += 1;
          yield index;
        }
      } finally {
        seen.ended = true;
      }
    }
    return { seen, numbers: numbers() };
  }

  it.each([0, 1, 2, 7])('gives all values in order, also when there are %i', async (count) => {
    expect(await collect(readAhead(source(count).numbers, 3, () => 1))).toEqual(
      Array.from({ length: count }, (_, index) => index),
    );
  });

  it('takes no more than fits, and goes on as it is read', async () => {
    const { seen, numbers } = source(100);
    const reader = readAhead(numbers, 10, () => 4);
    expect((await reader.next()).value).toBe(0);
    await settle();
    expect(seen.given).toBe(4);
    await reader.next();
    await settle();
    expect(seen.given).toBe(5);
    await reader.return(undefined);
    expect(seen.ended).toBe(true);
  });

  it('gives one value that is larger than all that fits', async () => {
    expect(await collect(readAhead(source(3).numbers, 1, () => 50))).toEqual([0, 1, 2]);
  });

  it('fails after the values before the failure', async () => {
    const reader = readAhead(source(5, 2).numbers, 100, () => 1);
    await settle();
    expect([(await reader.next()).value, (await reader.next()).value]).toEqual([0, 1]);
    await expect(reader.next()).rejects.toThrow('broken');
    expect((await reader.next()).done).toBe(true);
  });

  it('lets go of the source when its reader leaves', async () => {
    const { seen, numbers } = source(5);
    for await (const value of readAhead(numbers, 2, () => 1)) if (value === 1) break;
    expect(seen.ended).toBe(true);
    expect(seen.given).toBeLessThan(5);
  });
});
