import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CreateBudget, readReport } from '../../../src/compute/aci/create-budget.js';
import { memoryLedgers } from '../../support/aci.js';

const MINUTE = 60_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: 0 }));
afterEach(() => void vi.useRealTimers());

/** Creates that get through when so many are asked for. */
async function granted(budget: CreateBudget, asked: number): Promise<number> {
  const takes = Array.from({ length: asked }).map(() => budget.take('westeurope'));
  return (await Promise.allSettled(takes)).filter(({ status }) => status === 'fulfilled').length;
}

describe('the creates of a region', () => {
  test('stay under 100 in 5 minutes and 300 an hour, whatever is asked for', async () => {
    const budget = new CreateBudget(memoryLedgers(), 's');
    const perRound: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      perRound.push(await granted(budget, 120));
      vi.advanceTimersByTime(5 * MINUTE);
    }
    expect(perRound.slice(0, 4)).toEqual([90, 90, 90, 10]);
    expect(perRound.slice(4)).toEqual(Array.from({ length: 8 }, () => 0));
    expect(await granted(budget, 120)).toBe(90);
  });

  test('that are used up are refused with the time after which there is one again', async () => {
    const budget = new CreateBudget(memoryLedgers(), 's');
    await granted(budget, 45);
    vi.advanceTimersByTime(2 * MINUTE);
    await granted(budget, 45);
    await expect(budget.take('westeurope')).rejects.toMatchObject({
      blame: 'platform',
      message: expect.stringMatching(/90 container groups .*westeurope per 5 minutes.*another 180 seconds/) as string,
      retryAfterSeconds: 180,
    });
    await expect(budget.take('northeurope')).resolves.toBeDefined();
    vi.advanceTimersByTime(180_000);
    expect(await granted(budget, 90)).toBe(45);
  });
});

describe('what Azure says is left', () => {
  const headers = (values: Record<string, string>) => ({ get: (name: string) => values[name] });
  const left = (count: number) =>
    readReport(201, headers({ 'x-ms-ratelimit-remaining-subscription-resource-requests-pt5m': String(count) }));

  test('counts when others in the subscription create too, and some are left to them', async () => {
    const budget = new CreateBudget(memoryLedgers(), 's');
    await budget.note('westeurope', await budget.take('westeurope'), left(8));
    vi.advanceTimersByTime(MINUTE);
    expect(await granted(budget, 20)).toBe(3);
    await expect(budget.take('westeurope')).rejects.toMatchObject({ retryAfterSeconds: 240 });
    vi.advanceTimersByTime(4 * MINUTE + 1);
    expect(await granted(budget, 20)).toBe(20);
  });

  test('changes nothing when it is what the app reckons itself', async () => {
    const store = memoryLedgers();
    const budget = new CreateBudget(store, 's');
    const taken = await budget.take('westeurope');
    await budget.note('westeurope', taken, left(99));
    expect(await store.update('s-westeurope', (ledger) => ledger)).toBe(taken);
  });
});
