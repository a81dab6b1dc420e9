import { describe, expect, test } from 'vitest';
import {
  beginBatch,
  foundNoRoom,
  foundRoom,
  nextTurn,
  ROOM_EVERYWHERE,
  type RoomPolicy,
  type Search,
} from '../../../../src/job/attempts/room.js';
import { backoffSeconds, PLATFORM_PATIENCE_SECONDS } from '../../../../src/job/attempts/retry.js';

const THREE: RoomPolicy = {
  computes: ['aci in westeurope', 'aci in northeurope', 'container-apps'],
  afterSeconds: 300,
};

/**
 * A lane whose computes have room at some times, on a clock that stands still but for waits.
 * @param hasRoom by compute and second.
 * @param batchSeconds how long a batch runs.
 */
function lane(policy: RoomPolicy, hasRoom: (compute: number, second: number) => boolean, batchSeconds = 60) {
  let search = ROOM_EVERYWHERE;
  let now = 0;
  const tries: { compute: number; second: number; hasRoom: boolean }[] = [];
  return {
    tries,
    search: () => search,
    /** @returns where the batch ran; undefined when it was out of patience. */
    batch: (): { compute: number; waited: number } | undefined => {
      const began = now;
      search = beginBatch(search, policy, now * 1000);
      for (let failures = 1; now - began < PLATFORM_PATIENCE_SECONDS; failures += 1) {
        const { compute } = search;
        const found = hasRoom(compute, now);
        tries.push({ compute, second: now, hasRoom: found });
        if (found) {
          search = foundRoom(search);
          const waited = now - began;
          now += batchSeconds;
          return { compute, waited };
        }
        const refused = { askedAt: now * 1000, at: now * 1000, delaySeconds: backoffSeconds(5, failures) };
        const turn = foundNoRoom(search, policy, refused);
        ({ search } = turn);
        now += turn.delaySeconds;
      }
      return undefined;
    },
    wait: (seconds: number) => (now += seconds),
  };
}

describe('a batch that looks for room', () => {
  test('stays with the first compute while that has room', () => {
    const { batch, search } = lane(THREE, () => true);
    expect([batch(), batch(), batch()].map((ran) => ran?.compute)).toEqual([0, 0, 0]);
    expect(search()).toEqual(ROOM_EVERYWHERE);
  });

  test('waits for the first compute, and turns to the next when the time is over, neither sooner nor later', () => {
    const { batch, tries } = lane(THREE, (compute) => compute > 0);
    expect(batch()).toEqual({ compute: 1, waited: 300 });
    expect(tries.slice(0, -1).every(({ compute }) => compute === 0)).toBe(true);
  });

  test('has the first compute when that finds room in time', () => {
    const { batch, search } = lane(THREE, (_, second) => second >= 200);
    expect(batch()?.compute).toBe(0);
    expect(search()).toEqual(ROOM_EVERYWHERE);
  });

  test('comes to the last when those before it have no room', () => {
    const { batch } = lane(THREE, (compute) => compute === 2);
    const ran = batch();
    expect(ran?.compute).toBe(2);
    expect(ran?.waited).toBeGreaterThanOrEqual(600);
    expect(ran?.waited).toBeLessThan(660);
  });

  test('counts the time that a container waited for its place', () => {
    const turn = foundNoRoom(ROOM_EVERYWHERE, THREE, { askedAt: 0, at: 400_000, delaySeconds: 5 });
    expect(turn).toMatchObject({ search: { compute: 1 }, delaySeconds: 0 });
  });

  test('tries a compute once more before it leaves it, unless that asks to be left alone for longer', () => {
    const refused = { askedAt: 0, at: 100_000, delaySeconds: 300 };
    const last = foundNoRoom(ROOM_EVERYWHERE, THREE, refused);
    expect(last).toEqual({ search: { compute: 0, since: 0, full: [] }, delaySeconds: 200 });
    expect(foundNoRoom(ROOM_EVERYWHERE, THREE, { ...refused, retryAfterSeconds: 201 })).toMatchObject({
      search: { compute: 1 },
      delaySeconds: 200,
    });
  });

  test('waits like any other when all computes are full', () => {
    const { batch, tries } = lane(THREE, () => false);
    expect(batch()).toBeUndefined();
    expect(new Set(tries.slice(-6).map(({ compute }) => compute)).size).toBe(3);
    const pauses = tries.slice(-4).map(({ second }, index, last) => second - (last[index - 1]?.second ?? second));
    expect(Math.max(...pauses)).toBe(300);
  });

  test.each([
    [2, 1],
    [2, 300],
    [3, 60],
    [5, 300],
    [5, 7200],
  ])('on %i computes after %i seconds each asks so seldom that its history stays small', (computes, afterSeconds) => {
    const { batch, tries } = lane({ computes: Array.from({ length: computes }, String), afterSeconds }, () => false);
    expect(batch()).toBeUndefined();
    // Eight events each, of 500.
    expect(tries.length).toBeLessThanOrEqual(60);
  });

  test('takes the first that has room of those that were all full', () => {
    const { batch } = lane(THREE, (compute, second) => compute === 1 && second > 2000);
    const ran = batch();
    expect(ran?.compute).toBe(1);
    expect(ran?.waited).toBeLessThan(2000 + 2 * 375 + 300);
  });
});

describe('a lane that found a compute full', () => {
  test('does not wait for it again with its next batches', () => {
    const { batch, tries } = lane(THREE, (compute) => compute > 0);
    const ran = [batch(), batch(), batch(), batch()];
    expect(ran.map((each) => each?.waited)).toEqual([300, 0, 0, 0]);
    expect(tries.filter(({ compute, second }) => compute === 0 && second > 300)).toEqual([]);
  });

  test('looks now and then whether it has room, ever less often, and loses no time by it', () => {
    const { batch, tries } = lane(THREE, (compute) => compute > 0, 100);
    const ran = Array.from({ length: 200 }, batch);
    expect(ran.slice(1).every((each) => each?.waited === 0 && each.compute === 1)).toBe(true);
    const looks = tries.filter(({ compute, second }) => compute === 0 && second > 300).map(({ second }) => second);
    expect(looks.length).toBeLessThanOrEqual(8);
    expect(looks[0]).toBeLessThanOrEqual(700);
    const gaps = looks.slice(1).map((second, index) => second - (looks[index] ?? 0));
    expect(gaps).toEqual(gaps.toSorted((one, other) => one - other));
  });

  test('comes back to it when it has room again, and then knows of nothing', () => {
    const { batch, search } = lane(THREE, (compute, second) => compute > 0 || second > 500, 100);
    const ran = Array.from({ length: 10 }, batch);
    expect(ran[0]?.compute).toBe(1);
    expect(ran.at(-1)?.compute).toBe(0);
    expect(search()).toEqual(ROOM_EVERYWHERE);
  });

  test('goes on with the second while only single batches find room on the first', () => {
    const { batch } = lane(THREE, (compute, second) => compute > 0 || (second >= 600 && second < 900), 100);
    const ran = Array.from({ length: 30 }, batch);
    expect(ran.filter((each) => each?.compute === 0).length).toBeGreaterThan(0);
    expect(ran.at(-1)?.compute).toBe(1);
  });

  test('tries the first again before one that it has never tried, when the second is full, too', () => {
    const { batch, tries } = lane(THREE, (compute, second) => compute === 2 || (compute === 1 && second < 400), 200);
    batch();
    batch();
    const ran = batch();
    expect(ran?.compute).toBe(2);
    expect(tries.filter(({ second }) => second > 400).map(({ compute }) => compute)).toContain(0);
  });
});

describe('where a batch turns to', () => {
  test('is told with the time', () => {
    expect(nextTurn(ROOM_EVERYWHERE, THREE, 1000)).toEqual({ compute: 'aci in northeurope', at: 301_000 });
    const waits: Search = { compute: 0, since: 1000, full: [] };
    expect(nextTurn(waits, THREE, 200_000)).toEqual({ compute: 'aci in northeurope', at: 301_000 });
  });

  test('leaves out those that are full then', () => {
    const full = [{ compute: 1, times: 1, until: 500_000 }];
    expect(nextTurn({ compute: 0, since: 0, full }, THREE, 0)?.compute).toBe('container-apps');
  });

  test('is not told of a look whether a compute is still full, nor when all others are full', () => {
    const full = (compute: number) => ({ compute, times: 1, until: 500_000 });
    expect(nextTurn({ compute: 0, full: [full(0)] }, THREE, 0)).toBeUndefined();
    expect(nextTurn({ compute: 0, full: [full(1), full(2)] }, THREE, 0)).toBeUndefined();
  });
});
