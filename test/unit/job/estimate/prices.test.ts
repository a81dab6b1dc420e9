import { describe, expect, test } from 'vitest';
import { readConfig } from '../../../../src/config.js';
import {
  addShapes,
  agedPrices,
  costOf,
  hourly,
  parsePrices,
  PRICES,
  writeShape,
} from '../../../../src/job/estimate/prices.js';

const storage = { AzureWebJobsStorage: 'UseDevelopmentStorage=true' };

describe('an hour of a container costs', () => {
  test.each([
    ['nothing on the app’s own machine', { compute: 'local' }, 0],
    ['cores and memory in Container Instances', { compute: 'aci', cpus: 1, memoryGib: 1.5 }, 0.0405 + 1.5 * 0.00445],
    ['nothing that is known for a GPU there', { compute: 'aci', cpus: 4, memoryGib: 8, gpus: 1 }, undefined],
    ['nothing that is known without its size', { compute: 'aci' }, undefined],
    ['cores and memory in Container Apps', { compute: 'container-apps', cpus: 2, memoryGib: 4 }, 0.1728 + 0.0432],
    ['with a T4 its whole profile', { compute: 'container-apps', cpus: 8, memoryGib: 56, gpus: 1 }, 1.556],
    ['with an A100 its whole profile', { compute: 'container-apps', cpus: 24, memoryGib: 220, gpus: 1 }, 6.3496],
  ] as const)('%s', (_, shape, usd) => {
    const price = hourly(PRICES, shape);
    if (usd === undefined) expect(price).toBeUndefined();
    else expect(price).toBeCloseTo(usd, 6);
  });
});

test('containers cost their seconds, each by its shape, and nothing is said where one has no price', () => {
  const [small, large] = [
    writeShape({ compute: 'aci', cpus: 1, memoryGib: 1 }),
    writeShape({ compute: 'aci', cpus: 2, memoryGib: 4 }),
  ];
  const seconds = addShapes([{ [small]: 1800, [writeShape({})]: 0 }, { [small]: 1800, [large]: 3600 }, {}]);
  expect(costOf(PRICES, seconds)).toBeCloseTo(0.04495 + 0.0988, 6);
  expect(costOf(PRICES, {})).toBe(0);
  expect(costOf(PRICES, { ...seconds, [writeShape({ compute: 'aci' })]: 1 })).toBeUndefined();
});

test('prices are old after half a year', () => {
  const day = (days: number) => Date.parse('2026-01-01') + days * 86_400_000;
  expect(agedPrices({ asOf: '2026-01-01' }, day(180))).toBeUndefined();
  expect(agedPrices({ asOf: '2026-01-01' }, day(181))).toMatch(/^The prices are 181 days old \(2026-01-01\)/);
});

test('the setting PRICES replaces the table, and says what is wrong with it', () => {
  const own = { ...PRICES, asOf: '2026-11-01', region: 'westeurope' };
  expect(parsePrices(JSON.stringify(own))).toEqual(own);
  expect(readConfig({ ...storage, PRICES: JSON.stringify(own) }).prices).toEqual(own);
  expect(readConfig(storage).prices).toEqual(PRICES);
  for (const [text, wrong] of [
    ['{', /must be JSON, as in/],
    ['[]', /wrong table/],
    [JSON.stringify({ ...own, asOf: 'May' }), /"asOf" must be a day/],
    [JSON.stringify({ ...own, aci: { core: -1, gb: 0 } }), /"aci.core"/],
    [JSON.stringify({ ...own, aci: { core: '1', gb: 0 } }), /"aci.core" must be a price/],
    [JSON.stringify({ ...own, gpu: 1 }), /gpu/],
  ] as const)
    expect(() => readConfig({ ...storage, PRICES: text })).toThrow(wrong);
});
