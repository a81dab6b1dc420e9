import { describe, expect, it } from 'vitest';
import {
  isIn,
  type Share,
  shareOf,
  spansOf,
  takeOver,
  takeUp,
  untaken,
} from '../../../src/container-contract/share.js';
import { randomOf } from '../../support/chaos/faults.js';

const indices = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, k) => first + k);
const ANYWHERE = { pack: 1, whole: false };
const all = indices(100, 199);
const started = takeUp(shareOf(1, { first: 100, last: 199 }), { attempt: 1, first: 100 }, 119);

describe('a batch that several containers score', () => {
  it('is that of one container until another one takes half of what nobody has taken up', () => {
    const share = takeOver(started, 2, all, ANYWHERE);
    expect(share.spans).toEqual([
      { attempt: 1, first: 100, last: 159, taken: 119 },
      { attempt: 2, first: 160, last: 199, taken: 159 },
    ]);
    expect(untaken(share, all)).toEqual(indices(120, 199));
  });

  it('is taken up no further than what was left to the container', () => {
    const share = takeOver(started, 2, all, ANYWHERE);
    expect(spansOf(takeUp(share, { attempt: 1, first: 100 }, 180), 1)).toMatchObject([{ last: 159, taken: 159 }]);
  });

  it('is as it was for who takes up what it has taken up before, or what is not its own', () => {
    expect(takeUp(started, { attempt: 1, first: 100 }, 110)).toBe(started);
    expect(takeUp(started, { attempt: 2, first: 100 }, 150)).toBe(started);
    expect(takeUp(started, { attempt: 1, first: 101 }, 150)).toBe(started);
  });

  it('is cut between items that have no output yet, however far apart they are', () => {
    expect(takeOver(started, 2, [105, 121, 122, 190, 191], ANYWHERE).spans[1]).toMatchObject({ first: 190, last: 199 });
  });

  it('is not cut where one item or none is left', () => {
    expect(takeOver(started, 2, indices(100, 120), ANYWHERE)).toBe(started);
    expect(takeOver(started, 2, [], ANYWHERE)).toBe(started);
  });

  it('is taken from the container that has most before it', () => {
    const two = takeOver(started, 2, all, ANYWHERE);
    const three = takeOver(takeUp(two, { attempt: 2, first: 160 }, 190), 3, all, ANYWHERE);
    expect(spansOf(three, 3)).toMatchObject([{ first: 140, last: 159 }]);
    expect(isIn(spansOf(three, 1), 140)).toBe(false);
  });

  it('is cut between packs where that leaves about half, and within one elsewhere, unless packs are stored whole', () => {
    const cut = (pack: number, whole: boolean) => takeOver(started, 2, all, { pack, whole }).spans[1]?.first;
    expect(cut(16, false)).toBe(160);
    expect(cut(50, false)).toBe(150);
    expect(cut(64, false)).toBe(160);
    expect(cut(64, true)).toBe(128);
    expect(cut(1000, true)).toBeUndefined();
    expect(cut(1000, false)).toBe(160);
  });

  it('has each of its items taken up once, whoever dies or comes late', () => {
    for (let seed = 1; seed <= 25; seed += 1) play(seed);
  });
});

/** Containers that come, work and die in any order. */
function play(seed: number): void {
  const random = randomOf(`share ${seed}`);
  const whole = random() < 0.3;
  const packing = { pack: 1 + Math.floor(random() * 12), whole };
  const items = all.slice(0, 60).filter(() => random() < 0.8);
  let share: Share = shareOf(1, { first: items[0] ?? 0, last: items.at(-1) ?? 0 });
  const scored = new Map<number, number>();
  const workers = [{ attempt: 1, alive: true }];
  for (let step = 0; step < 1200; step += 1) {
    const worker = workers[Math.floor(random() * workers.length)];
    if (!worker?.alive) continue;
    if (random() < 0.002) worker.alive = workers.filter(({ alive }) => alive).length < 2;
    const { attempt } = worker;
    const own = spansOf(share, attempt).find((span) => untaken({ spans: [span] }, items).length > 0);
    if (own) {
      const next = untaken({ spans: [own] }, items);
      const after = takeUp(share, own, next[Math.min(next.length - 1, Math.floor(random() * 5))] ?? 0);
      const taken = spansOf(after, attempt).find(({ first }) => first === own.first)?.taken ?? -1;
      for (const index of next) if (index <= taken) scored.set(index, (scored.get(index) ?? 0) + 1);
      share = after;
    } else share = takeOver(share, attempt, items, packing);
    if (workers.length < 5 && random() < 0.01) workers.push({ attempt: workers.length + 1, alive: true });
  }
  expect([...scored.values()].every((times) => times === 1)).toBe(true);
  const ranges = share.spans.toSorted((one, other) => one.first - other.first);
  for (const [k, { last }] of ranges.entries()) if (k + 1 < ranges.length) expect(ranges[k + 1]?.first).toBe(last + 1);
  if (workers.every(({ alive }) => alive)) expect([...scored.keys()].toSorted((a, b) => a - b)).toEqual(items);
  if (whole)
    for (const { first } of ranges.slice(1)) {
      const before = items.findLast((index) => index < first) ?? 0;
      expect(Math.floor(before / packing.pack)).toBeLessThan(Math.floor(first / packing.pack));
    }
}
