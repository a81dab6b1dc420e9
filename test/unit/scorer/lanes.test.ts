import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { firstLanes, type LaneOptions, runLanes } from '../../../src/scorer/run/lanes.js';

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

async function* items(count: number) {
  for (const index of numbers(count)) yield await Promise.resolve(index);
}

function options(given: Partial<LaneOptions<number>>): LaneOptions<number> {
  return {
    items: items(40),
    first: firstLanes(1, 1),
    work: () => Promise.resolve(),
    starved: () => false,
    mayGrow: () => true,
    signal: new AbortController().signal,
    ...given,
  };
}

async function mostAtOnce(given: Partial<LaneOptions<number>>): Promise<number> {
  let now = 0;
  let most = 0;
  await runLanes(
    options({
      work: async () => {
        now += 1;
        most = Math.max(most, now);
        await delay(1);
        now -= 1;
      },
      ...given,
    }),
  );
  return most;
}

describe('runLanes', () => {
  it('does every item once and in order', async () => {
    const seen: number[] = [];
    await runLanes(options({ work: (item) => Promise.resolve(void seen.push(item)) }));
    expect(seen).toEqual(numbers(40));
  });

  it('keeps to three items at once while the engine is busy', async () => {
    expect(await mostAtOnce({})).toBe(3);
  });

  it('opens more lanes while the engine starves, up to a bound', async () => {
    expect(await mostAtOnce({ items: items(200), starved: () => true })).toBe(16);
  });

  it('opens no lane that memory does not allow', async () => {
    expect(await mostAtOnce({ starved: () => true, mayGrow: (lanes) => lanes <= 5 })).toBe(5);
  });

  it('begins nothing new after an abort', async () => {
    const stop = new AbortController();
    let begun = 0;
    await runLanes(
      options({
        signal: stop.signal,
        work: async () => {
          begun += 1;
          if (begun === 5) stop.abort();
          await delay(1);
        },
      }),
    );
    expect(begun).toBeLessThanOrEqual(6);
  });

  it('ends with the first failure', async () => {
    let begun = 0;
    const work = (item: number) => {
      begun += 1;
      return item === 4 ? Promise.reject(new Error('broken')) : delay(1);
    };
    await expect(runLanes(options({ work }))).rejects.toThrow('broken');
    expect(begun).toBeLessThanOrEqual(8);
  });
});
