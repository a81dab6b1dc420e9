import { describe, expect, it } from 'vitest';
import { type Share, shareOf, takeOver, takeUp } from '../../../src/container-contract/share.js';
import { sharedStretches } from '../../../src/scorer/run/shared-items.js';

const items = Array.from({ length: 100 }, (_, k) => ({ name: String(k), index: 200 + k }));
const ALL = items.map(({ index }) => index);
const PACKING = { pack: 10, whole: false };

/** The blob that all containers of a batch change, and the bell with which one makes itself heard to the first. */
function newShare(before?: Share) {
  let share = before;
  let changes = 0;
  const bell = { isRung: before !== undefined };
  const change = (next: (before: Share | undefined) => Share | undefined) => {
    const after = next(share);
    if (after !== share) changes += 1;
    share = after;
    return Promise.resolve(share);
  };
  return { change, changes: () => changes, now: () => share, bell };
}

interface Container {
  attempt: number;
  helps?: number;
  /** Milliseconds that an item takes. */
  pace?: number;
  packSeconds?: number | undefined;
  /** Is called before each item. */
  before?: (index: number) => void;
}

/** Scores as a container does, one item after the other. @returns the indices of what it has scored, and what it announced for each. */
async function work({ change, bell }: ReturnType<typeof newShare>, container: Container) {
  const { attempt, helps, pace = 0, before = () => undefined } = container;
  const { packSeconds = 5 } = container;
  const task = {
    attempt,
    pack: PACKING.pack,
    packSeconds: 'packSeconds' in container ? container.packSeconds : packSeconds,
  };
  const tally = { reach: undefined as number | undefined, alone: 7 as number | undefined, elsewhere: 0 };
  const scored: number[] = [];
  const reports: number[] = [];
  let now = 0;
  const report = () => Promise.resolve(void reports.push(tally.reach ?? -1));
  const own = { ...task, ...(helps !== undefined && { helps }) };
  const waitForShare = async () => {
    bell.isRung = true;
    for (let asked = 0; asked < 100; asked += 1) {
      const found = await change((latest) => latest);
      if (found) return found;
    }
    return undefined;
  };
  const parts = { task: own, change, tally, report, bell, waitForShare, now: () => now };
  for await (const stretch of sharedStretches(items, parts))
    for (const item of stretch.items) {
      before(item.index);
      if (!(await stretch.announce(item))) break;
      expect(item.index).toBeLessThanOrEqual(reports.at(-1) ?? -1);
      scored.push(item.index);
      now += pace;
    }
  return { scored, reports, tally };
}

describe('a container whose batch may be shared', () => {
  it('scores all of it when nobody comes, without a share and with few reports', async () => {
    const share = newShare();
    const { scored, tally, reports } = await work(share, { attempt: 1, pace: 100 });
    expect(scored).toEqual(ALL);
    expect(share.changes()).toBe(0);
    expect(reports.length).toBeLessThan(4);
    expect(tally).toMatchObject({ alone: undefined, elsewhere: 0 });
  });

  it('writes down what it has taken up once somebody wants to help, before it takes up more', async () => {
    const share = newShare();
    const { scored } = await work(share, {
      attempt: 1,
      pace: 1000,
      before: (index) => {
        if (index === 220) share.bell.isRung = true;
        if (index === 221) expect(share.now()?.spans).toMatchObject([{ attempt: 1, first: 200, last: 299 }]);
        if (index > 220) expect(share.now()?.spans[0]?.taken).toBeGreaterThanOrEqual(index - 1);
      },
    });
    expect(scored).toEqual(ALL);
    expect(share.changes()).toBeLessThan(25);
  });

  it('takes up little ahead where items take long, so that the rest can be taken over', async () => {
    const share = newShare();
    const { now, bell } = share;
    bell.isRung = true;
    await work(share, {
      attempt: 1,
      pace: 8000,
      before: (index) => {
        const { taken = 0 } = now()?.spans[0] ?? {};
        if (index > 220) expect(taken - index).toBeLessThanOrEqual(3);
      },
    });
  });

  it('takes up whole packs where they are stored whole', async () => {
    for (const isRung of [false, true]) {
      const share = newShare();
      share.bell.isRung = isRung;
      const { reports } = await work(share, { attempt: 1, pace: 3000, packSeconds: undefined });
      expect(reports.map((index) => index % 10)).toEqual(reports.map(() => 9));
    }
  });

  it('stops where another one has taken over, and then takes over half of what that one has not come to', async () => {
    const shared = newShare();
    const { change, now } = shared;
    let helper: Share | undefined;
    const { scored, tally } = await work(shared, {
      attempt: 1,
      pace: 1000,
      before: (index) => {
        if (index === 210) shared.bell.isRung = true;
        if (index !== 220) return;
        void change((before) => before && takeOver(before, 2, ALL, PACKING));
        helper = now();
      },
    });
    const cut = helper?.spans[1]?.first ?? 0;
    expect(cut).toBeGreaterThan(240);
    expect(cut % 10).toBe(0);
    const over = scored.findIndex((index) => index >= cut);
    expect(scored.slice(0, over)).toEqual(ALL.filter((index) => index < cut));
    expect(scored.slice(over)[0]).toBe(280);
    expect(tally.elsewhere).toBe(100 - scored.length);
    expect(new Set(scored).size).toBe(scored.length);
  });

  it('that helps scores the second half of the rest, and of what is left then', async () => {
    const begun = takeUp(shareOf(1, { first: 200, last: 299 }), { attempt: 1, first: 200 }, 219);
    const share = newShare(begun);
    const { scored, tally } = await work(share, { attempt: 2, helps: 1, pace: 1000 });
    expect(scored.slice(0, 40)).toEqual(ALL.slice(60));
    expect(scored.slice(40, 60)).toEqual(ALL.slice(40, 60));
    expect(share.now()?.spans[0]).toMatchObject({ attempt: 1, first: 200, taken: 219 });
    expect(scored.length + tally.elsewhere).toBe(100);
  });

  it('that helps one that never answers, or has taken up all, scores nothing', async () => {
    expect((await work(newShare(), { attempt: 2, helps: 1 })).scored).toEqual([]);
    const done = takeUp(shareOf(1, { first: 200, last: 299 }), { attempt: 1, first: 200 }, 299);
    expect((await work(newShare(done), { attempt: 2, helps: 1 })).scored).toEqual([]);
  });

  it('that its platform has started again goes on with its own items and announces them anew', async () => {
    const begun = takeUp(shareOf(1, { first: 200, last: 299 }), { attempt: 1, first: 200 }, 219);
    const helped = takeOver(begun, 2, ALL, PACKING);
    const share = newShare(takeUp(helped, { attempt: 2, first: 260 }, 299));
    const { scored, reports } = await work(share, { attempt: 1, pace: 1000 });
    expect(scored).toEqual(ALL.slice(0, 60));
    expect(reports[0]).toBe(219);
  });

  it.each([2, 3, 4])('and others score each item once, %i side by side', async (containers) => {
    const share = newShare();
    const helpers = Array.from({ length: containers - 1 }, (_, k) =>
      work(share, { attempt: k + 2, helps: 1, pace: 500 + 700 * k }),
    );
    const all = await Promise.all([work(share, { attempt: 1, pace: 2000 }), ...helpers]);
    expect(all.flatMap(({ scored }) => scored).toSorted((a, b) => a - b)).toEqual(ALL);
    for (const { scored } of all) expect(scored.length).toBeGreaterThan(0);
  });
});
