import { describe, expect, it } from 'vitest';
import { helpersFor, idleContainers, MOST_HELPERS, type Straggler } from '../../../../src/job/attempts/stragglers.js';

const straggler: Straggler = { left: 100, secondsPerItem: 1, startSeconds: 10, containers: 1, helped: 0, idle: 3 };
const helpers = (more: Partial<Straggler>) => helpersFor({ ...straggler, ...more });

describe('a batch that others would wait for', () => {
  it('gets as many containers as are idle while each has twice as much to do as its start takes', () => {
    expect(helpers({})).toBe(3);
    expect(helpers({ idle: 1 })).toBe(1);
    expect(helpers({ idle: 10 })).toBe(3);
    expect(helpers({ left: 300, idle: 100 })).toBe(MOST_HELPERS);
  });

  it('gets none while no container is idle', () => {
    expect(helpers({ idle: 0 })).toBe(0);
    expect(helpers({ idle: -2 })).toBe(0);
  });

  it('gets none when it would be done about as soon without', () => {
    expect(helpers({ left: 49 })).toBe(0);
    expect(helpers({ left: 50 })).toBe(1);
    expect(helpers({ left: 0 })).toBe(0);
    expect(helpers({ secondsPerItem: 0.4 })).toBe(0);
  });

  it('gets none for a few seconds of work, however fast containers start', () => {
    expect(helpers({ startSeconds: 0.1, left: 9 })).toBe(0);
    expect(helpers({ startSeconds: 0.1, left: 11 })).toBe(1);
    expect(helpers({ startSeconds: 0, left: 1000, secondsPerItem: 0.001 })).toBe(0);
  });

  it('gets more for items that take long, but never more than there are items for', () => {
    expect(helpers({ left: 3, secondsPerItem: 1000 })).toBe(2);
    expect(helpers({ left: 1, secondsPerItem: 1000 })).toBe(0);
    expect(helpers({ left: 2, secondsPerItem: 1e9, idle: 100 })).toBe(1);
  });

  it('that has some already gets what is still worth it, and no more than so many in all', () => {
    expect(helpers({ containers: 2, helped: 1, idle: 1 })).toBe(1);
    expect(helpers({ containers: 3, helped: 2, left: 80 })).toBe(0);
    expect(helpers({ left: 1e6, idle: 100, helped: 5 })).toBe(MOST_HELPERS - 5);
    expect(helpers({ left: 1e6, idle: 100, helped: MOST_HELPERS })).toBe(0);
  });

  it('of which nothing is known that can be counted on gets none', () => {
    for (const odd of [Number.NaN, Infinity, -1])
      for (const key of ['left', 'secondsPerItem', 'startSeconds'] as const) expect(helpers({ [key]: odd })).toBe(0);
  });

  it('never gets a container that has less to do than what its start costs', () => {
    for (const left of [1, 5, 20, 100, 1000])
      for (const secondsPerItem of [0.01, 0.5, 5, 60])
        for (const startSeconds of [0.2, 2, 60, 300])
          for (const containers of [1, 2, 4]) {
            const more = helpers({ left, secondsPerItem, startSeconds, containers, idle: 50 });
            if (more === 0) continue;
            const share = (left * secondsPerItem - startSeconds * containers) / (containers + more);
            expect(share).toBeGreaterThanOrEqual(Math.max(5, 2 * startSeconds));
            const before = (left * secondsPerItem) / containers;
            expect(startSeconds + share).toBeLessThan(before);
            expect(containers + more).toBeLessThanOrEqual(left);
          }
  });
});

it('a job has idle containers when fewer batches are open than may be scored at once', () => {
  expect(idleContainers({ parallel: 4, batches: 10, over: 0 })).toBe(0);
  expect(idleContainers({ parallel: 4, batches: 10, over: 6 })).toBe(0);
  expect(idleContainers({ parallel: 4, batches: 10, over: 7 })).toBe(1);
  expect(idleContainers({ parallel: 4, batches: 10, over: 10 })).toBe(4);
  expect(idleContainers({ parallel: 4, batches: 1, over: 0 })).toBe(3);
  expect(idleContainers({ parallel: 4, batches: 2, over: 5 })).toBe(4);
});
