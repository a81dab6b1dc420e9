import { expect, test } from 'vitest';
import type { Plan } from '../../../src/api/plan.js';
import { renderPlan } from '../../../src/cli/commands/plan.js';

const plan: Plan = {
  items: 168,
  batches: 2,
  parallel: 2,
  seconds: { low: 14.2, high: 31.9 },
  cost: { low: 0.00214, high: 12.5, currency: 'USD', sentence: 'The time of the containers.' },
  basis: 'Job coast-k3v9q2xa of 2026-11-27.',
  warnings: ['The prices are old.'],
};

test('a plan tells items, batches, containers, time, cost, what it is based on, and its warnings', () => {
  expect(renderPlan(plan, 'video').split('\n')).toEqual([
    'Items:    168 frames in 2 batches',
    'At once:  2 containers',
    'Time:     14 to 32 s',
    'Cost:     0.0021 to 12.50 USD. The time of the containers.',
    'Basis:    Job coast-k3v9q2xa of 2026-11-27.',
    'Warning:  The prices are old.',
  ]);
});

test('a plan says what nobody knows', () => {
  const unknown = renderPlan(
    { ...plan, items: null, batches: null, seconds: null, cost: null, warnings: [] },
    'images',
  );
  expect(unknown).toMatch(/^Items: +nobody knows .*\nAt once: .*\nTime: +unknown\nCost: +unknown\nBasis: /);
});

test.each([
  [0.2, 0.9, '0.2 to 0.9 s'],
  [90, 400, '90 to 400 s'],
  [121, 600, '2 to 10 min'],
  [7300, 90_000, '2 to 25 h'],
  [5, 5, 'about 5 s'],
])('from %d to %d seconds are said as %s', (low, high, words) => {
  expect(renderPlan({ ...plan, seconds: { low, high } }, 'images')).toContain(`Time:     ${words}\n`);
});

test('what costs nothing is said so', () => {
  const cost = { low: 0, high: 0, currency: 'USD' as const, sentence: "The app's own machine costs nothing." };
  expect(renderPlan({ ...plan, cost }, 'video')).toContain("Cost:     nothing. The app's own machine costs nothing.");
});
