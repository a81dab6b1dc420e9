import { describe, expect, test } from 'vitest';
import {
  condemned,
  deathOf,
  type EndedAttempt,
  NO_SUSPICION,
  suspect,
  type Suspicion,
  together,
} from '../../../../src/job/attempts/suspicion.js';

const CRASH = { why: 'the scorer was killed by SIGSEGV', isTelling: true };
const KILL = { why: 'the scorer was killed by SIGKILL', isTelling: false };

/** The attempts of a batch of ten items, one after the other. */
function after(...attempts: Partial<EndedAttempt>[]): Suspicion {
  return attempts.reduce<Suspicion>(
    (before, more, k) =>
      suspect(before, {
        attempt: k + 1,
        alone: before.suspects,
        missing: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        nameOf: (index) => `item ${index}`,
        ...more,
      }),
    NO_SUSPICION,
  );
}

const blamed = (suspicion: Suspicion) => condemned(suspicion).map(({ index }) => index);

describe('a container that dies', () => {
  test('is at one of the items that it had announced and that are missing', () => {
    const { suspects } = after({ death: CRASH, at: { reach: 6 }, missing: [3, 5, 6, 7, 8] });
    expect(suspects).toEqual([3, 5, 6]);
  });

  test('before it scored anything, or whose end is no item’s fault, makes no item suspect', () => {
    expect(after({ death: CRASH }).suspects).toEqual([]);
    expect(after({ at: { reach: 6 } }).suspects).toEqual([]);
  });

  test('while it scores one item alone is at that one', () => {
    const suspicion = after({ death: CRASH, at: { reach: 4 } }, { death: CRASH, at: { alone: 2 } });
    expect(blamed(suspicion)).toEqual([2]);
    expect(condemned(suspicion)[0]).toMatchObject({
      name: 'item 2',
      reason: 'the container ended twice while it scored this item, at last alone: the scorer was killed by SIGSEGV',
    });
  });

  test('of being killed, which may have come from outside, is at fault for an item only when it happens again', () => {
    const once = [
      { death: KILL, at: { reach: 4 } },
      { death: KILL, at: { alone: 2 } },
    ];
    expect(blamed(after(...once))).toEqual([]);
    const twice = after(...once, { death: KILL, at: { alone: 2 } });
    expect(condemned(twice)).toMatchObject([{ index: 2, reason: expect.stringContaining('ended 3 times') }]);
    expect(blamed(after(...once, { death: KILL, at: { alone: 3 } }))).toEqual([]);
  });

  test('right after the item that it scored alone was stored is not at that one', () => {
    const suspicion = after({ death: CRASH, at: { reach: 4 } }, { death: CRASH, at: { alone: 2 }, missing: [3, 4, 5] });
    expect(blamed(suspicion)).toEqual([]);
    expect(suspicion.suspects).toEqual([3, 4]);
  });

  test('after all suspects were scored is at later items', () => {
    const suspicion = after(
      { death: CRASH, at: { reach: 4 } },
      { death: CRASH, at: { reach: 8 }, missing: [6, 7, 8, 9] },
    );
    expect(suspicion).toEqual({ suspects: [6, 7, 8], deaths: [] });
  });
});

describe('an end that may be the fault of an item', () => {
  const died = (exitCode: number, more: Partial<Parameters<typeof deathOf>[0]> = {}) =>
    deathOf({
      watchEnd: 'ended',
      container: { alive: false, exitCode, reason: 'it died' },
      result: undefined,
      ...more,
    });

  test.each([134, 135, 139])('is a crash of the program, which shows it: exit code %i', (exitCode) => {
    expect(died(exitCode)).toEqual({ why: 'it died', isTelling: true });
  });

  test.each([1, 137])('is one that may have come from elsewhere, too: exit code %i', (exitCode) => {
    expect(died(exitCode)).toEqual({ why: 'it died', isTelling: false });
  });

  test('is a failure of which the platform tells no exit code', () => {
    const container = { alive: false, reason: 'the execution failed' };
    expect(deathOf({ watchEnd: 'ended', container, result: undefined })).toMatchObject({ isTelling: false });
  });

  test('is one that the stall watchdog brought about', () => {
    const death = deathOf({ watchEnd: 'stalled', container: { alive: true }, result: undefined });
    expect(death?.isTelling).toBe(true);
    expect(death?.why).toContain('timeouts.stallSeconds');
  });

  test.each<[string, Partial<Parameters<typeof deathOf>[0]>]>([
    ['the scorer has explained', { result: { outcome: 'failed' } }],
    [
      'the platform is to blame for',
      { container: { alive: false, exitCode: 137, reason: 'evicted', blame: 'platform' } },
    ],
    ['nobody has seen a container of', { watchEnd: 'unseen' }],
    ['the batch took too long for', { watchEnd: 'batch-timeout' }],
    ['showed no sign of life', { watchEnd: 'provision-timeout' }],
    ['somebody stopped', { watchEnd: 'stopped' }],
    ['was asked for', { container: { alive: false, exitCode: 143, reason: 'SIGTERM' } }],
    ['was no failure', { container: { alive: false, exitCode: 0 } }],
  ])('is none that %s', (_, more) => {
    expect(died(139, more)).toBeUndefined();
  });
});

describe('suspicion', () => {
  test('stays while containers end that are no item’s fault, as far as the items are not scored', () => {
    const first = { death: CRASH, at: { reach: 4 } };
    expect(after(first, {}).suspects).toEqual([0, 1, 2, 3, 4]);
    expect(after(first, { at: { alone: 2 }, missing: [1, 3, 4, 5] }).suspects).toEqual([1, 3, 4]);
    expect(after(first, { at: { reach: 9 }, missing: [8, 9] }).suspects).toEqual([]);
  });

  test('falls on what the model was busy with for too long, as its scorer says', () => {
    const hung = { hung: [3, 4], at: { reach: 9 } };
    expect(after(hung).suspects).toEqual([3, 4]);
    // Alone, the first of them was too slow again and has failed.
    expect(after(hung, { hung: [3], at: { alone: 3 }, missing: [4, 5] }).suspects).toEqual([4]);
  });

  test('comes out the same when an attempt is settled twice', () => {
    const before = after({ death: CRASH, at: { reach: 4 } });
    const ended: EndedAttempt = {
      attempt: 2,
      alone: before.suspects,
      missing: [2, 3, 4, 5],
      death: KILL,
      at: { alone: 2 },
      nameOf: String,
    };
    const once = suspect(before, ended);
    expect(suspect(once, ended)).toEqual(once);
  });
});

test('containers that score a batch together are each at items of their own when they die, and the next one scores those of all alone', () => {
  const nameOf = String;
  const first = suspect(NO_SUSPICION, {
    attempt: 1,
    alone: [],
    missing: [4, 5, 9],
    death: KILL,
    at: { reach: 5 },
    nameOf,
  });
  const helper = suspect(NO_SUSPICION, {
    attempt: 2,
    alone: [],
    missing: [2, 3],
    death: CRASH,
    at: { reach: 2 },
    nameOf,
  });
  const unhurt = suspect(NO_SUSPICION, { attempt: 3, alone: [], missing: [], at: { reach: 20 }, nameOf });
  expect(together([first, helper, unhurt])).toEqual({ suspects: [2, 4, 5], deaths: [] });
  expect(condemned(together([first, helper, unhurt]))).toEqual([]);
});
