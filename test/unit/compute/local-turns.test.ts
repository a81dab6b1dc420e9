import { describe, expect, test } from 'vitest';
import { type Claim, Turns } from '../../../src/compute/local/turns.js';

/** Claims wait for `heldMs` at most. */
const machine = (cores: number, heldMs = 5) => new Turns(cores, heldMs);
const claim = (name: string, cores = 1, jobId = name.slice(0, 1)): Claim => ({ name, jobId, cores });

describe('the cores of this machine', () => {
  test('are shared by the containers of all jobs, and no core is given twice', async () => {
    const turns = machine(2);
    expect(await turns.take(claim('a1'))).toBe(1);
    expect(await turns.take(claim('b1'))).toBe(1);
    expect(await turns.take(claim('c1'))).toBe(0);
    turns.release('a1');
    expect(await turns.take(claim('c1'))).toBe(1);
  });

  test('go to one container as far as it can use them and others leave any', async () => {
    const turns = machine(4);
    expect(await turns.take(claim('a1', 3))).toBe(3);
    expect(await turns.take(claim('b1', 4))).toBe(1);
    expect(await turns.take(claim('c1', 1))).toBe(0);
  });

  test('go to the job that has the fewest of them, although others asked before it', async () => {
    const turns = machine(2, 60_000);
    await turns.take(claim('a1'));
    await turns.take(claim('a2'));
    const order: string[] = [];
    const third = turns.take(claim('a3')).then(() => order.push('a3'));
    const other = turns.take(claim('b1')).then(() => order.push('b1'));
    turns.release('a1');
    await other;
    turns.release('a2');
    await third;
    expect(order).toEqual(['b1', 'a3']);
  });

  test('go to whoever waited longest among jobs that have as many', async () => {
    const turns = machine(2, 60_000);
    await turns.take(claim('a1'));
    await turns.take(claim('d1'));
    const order: string[] = [];
    const first = turns.take(claim('b1')).then(() => order.push('b1'));
    const second = turns.take(claim('c1')).then(() => order.push('c1'));
    turns.release('a1');
    await first;
    turns.release('d1');
    await second;
    expect(order).toEqual(['b1', 'c1']);
  });

  test('are waited for by a few; the others are sent away at once and ask again later, the later the longer they have waited', async () => {
    const turns = machine(1, 60_000);
    await turns.take(claim('a1'));
    const held = turns.take(claim('b1'));
    expect(await turns.take(claim('c1'))).toBe(0);
    expect(turns.pauseFor('c1')).toBeGreaterThanOrEqual(1);
    expect(turns.pauseFor('c1')).toBeLessThan(2);
    turns.release('a1');
    await held;
  });

  test('are free again when a container that had several of them ends', async () => {
    const turns = machine(2);
    await turns.take(claim('a1', 2));
    turns.release('a1');
    expect(await turns.take(claim('b1', 2))).toBe(2);
  });
});
