import { describe, expect, it } from 'vitest';
import { announceAhead, announceAlone } from '../../../src/scorer/run/reach.js';

const items = Array.from({ length: 1000 }, (_, k) => ({ name: String(k), index: 2 * k }));
const newTally = (): { alone: number | undefined; reach: number | undefined } => ({ alone: 7, reach: undefined });

describe('items that a scorer takes up', () => {
  it('are announced before, with few reports: for the next 20 seconds of work', async () => {
    const tally = newTally();
    let now = 0;
    const reports: { at: number; reach: number | undefined }[] = [];
    const report = () => Promise.resolve(void reports.push({ at: now, reach: tally.reach }));
    const announce = announceAhead(items, tally, report, { now: () => now });
    for (const item of items) {
      await announce(item);
      expect(item.index).toBeLessThanOrEqual(reports.at(-1)?.reach ?? -1);
      now += 100;
    }
    expect(tally.alone).toBeUndefined();
    expect(reports.length).toBeLessThan(10);
    for (const { at, reach = 0 } of reports) expect(reach / 2).toBeLessThan(at / 100 + 250);
    expect(reports.at(-1)?.reach).toBe(1998);
  });

  it('are announced together where they are only stored together', async () => {
    const tally = newTally();
    const frames = items.map(({ name }, index) => ({ name, index }));
    const reports: number[] = [];
    const report = () => Promise.resolve(void reports.push(tally.reach ?? -1));
    const announce = announceAhead(frames, tally, report, { pack: 40, now: () => 0 });
    await announce({ name: '0', index: 0 });
    expect(reports).toEqual([39]);
  });

  it('are taken up only when the report is stored', async () => {
    let store = () => undefined as void;
    const stored = new Promise<void>((resolve) => (store = resolve));
    const taken: number[] = [];
    const announce = announceAlone(newTally(), () => stored);
    const taking = announce({ name: '3', index: 3 }).then(() => taken.push(3));
    await Promise.resolve();
    expect(taken).toEqual([]);
    store();
    await taking;
    expect(taken).toEqual([3]);
  });

  it('one by one are announced each', async () => {
    const tally = newTally();
    const reports: (number | undefined)[] = [];
    const announce = announceAlone(tally, () => Promise.resolve(void reports.push(tally.alone)));
    for (const item of items.slice(0, 3)) await announce(item);
    expect(reports).toEqual([0, 2, 4]);
    expect(tally.reach).toBeUndefined();
  });
});
