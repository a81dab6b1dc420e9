import { describe, expect, test } from 'vitest';
import type { AttemptProgress } from '../../../../src/container-contract/progress.js';
import { isLate, overdue, secondsToNextPoll } from '../../../../src/job/attempts/watch.js';

const timeouts = { provisionSeconds: 100, batchSeconds: 1000, stallSeconds: 50 };
const at = (seconds: number) => seconds * 1000;
const iso = (seconds: number) => new Date(at(seconds)).toISOString();

function progress(facts: Partial<AttemptProgress> & { lastItem?: number; updated?: number }): AttemptProgress {
  const { lastItem = 0, updated = 0, ...rest } = facts;
  return {
    batch: 0,
    attempt: 1,
    total: 100,
    done: 0,
    skipped: 0,
    failed: 0,
    phase: 'scoring',
    startedAt: iso(0),
    times: {},
    failedItems: [],
    lastItemAt: iso(lastItem),
    updatedAt: iso(updated),
    ...rest,
  };
}

describe('a container', () => {
  test('may take its time to be provisioned, and no longer', () => {
    expect(overdue(timeouts, 0, at(100), undefined)).toBeUndefined();
    expect(overdue(timeouts, 0, at(101), undefined)).toBe('provision-timeout');
  });

  test('is stalled when no item was handled for the limit, however busy it looks', () => {
    expect(overdue(timeouts, 0, at(200), progress({ lastItem: 150, updated: 200 }))).toBeUndefined();
    expect(overdue(timeouts, 0, at(201), progress({ lastItem: 150, updated: 201 }))).toBe('stalled');
  });

  test('is not stalled while it may have handled items since it last reported, and is once it should have told', () => {
    const lastReport = progress({ lastItem: 195, updated: 200, pauseSeconds: 10 });
    expect(overdue(timeouts, 0, at(255), lastReport)).toBeUndefined();
    expect(overdue(timeouts, 0, at(256), lastReport)).toBe('stalled');
    expect(overdue(timeouts, 0, at(210), { ...lastReport, lastItemAt: iso(149) })).toBe('stalled');
  });

  test('is stopped at the end of its batch time even while it works', () => {
    expect(overdue(timeouts, 0, at(1001), progress({ lastItem: 1000 }))).toBe('batch-timeout');
  });
});

describe('the pause before the next look', () => {
  const bounds = { minSeconds: 1, maxSeconds: 30 };

  test('grows with the time the container needs to start', () => {
    expect(secondsToNextPoll(bounds, 0, at(0), undefined)).toBe(1);
    expect(secondsToNextPoll(bounds, 0, at(40), undefined)).toBe(20);
  });

  test('does not take the start of the container for time that items take', () => {
    const report = { ...progress({ done: 50, updated: 100 }), times: { modelLoaded: iso(80) } };
    expect(secondsToNextPoll(bounds, 0, at(110), report)).toBeCloseTo(7);
  });

  test('is most of the time that the remaining items will take', () => {
    expect(secondsToNextPoll(bounds, 0, at(16), progress({ done: 80, updated: 16 }))).toBeCloseTo(2.8);
  });

  test('takes what the container has done since its last report as done', () => {
    const report = progress({ done: 80, updated: 160, pauseSeconds: 10 });
    expect(secondsToNextPoll(bounds, 0, at(170), report)).toBeCloseTo(21);
    const clockAhead = at(150);
    expect(secondsToNextPoll(bounds, 0, clockAhead, report)).toBeCloseTo(28);
  });

  test('grows again with the time that a container takes longer than was to be expected', () => {
    const report = progress({ done: 99, updated: 99 });
    expect(secondsToNextPoll(bounds, 0, at(100), report)).toBe(1);
    expect(secondsToNextPoll(bounds, 0, at(110), report)).toBeCloseTo(5);
    expect(secondsToNextPoll(bounds, 0, at(500), report)).toBe(30);
  });

  test('counts failed items as handled and skipped ones as no work', () => {
    expect(
      secondsToNextPoll(bounds, 0, at(50), progress({ done: 40, failed: 10, skipped: 30, updated: 50 })),
    ).toBeCloseTo(14);
  });

  test('is no longer than half of the time so far, because the first item comes late and promises too little', () => {
    expect(secondsToNextPoll(bounds, 0, at(9), progress({ done: 1, updated: 9 }))).toBeCloseTo(4.5);
  });

  test('stays within the bounds of the compute', () => {
    expect(secondsToNextPoll(bounds, 0, at(90), progress({ done: 1, updated: 90 }))).toBe(30);
    expect(secondsToNextPoll(bounds, 0, at(9), progress({ done: 100, updated: 9 }))).toBe(1);
  });
});

test('a job may take its time, and no longer where it has a limit', () => {
  expect(isLate({ jobSeconds: 60 }, iso(100), at(160))).toBe(false);
  expect(isLate({ jobSeconds: 60 }, iso(100), at(161))).toBe(true);
  expect(isLate({}, iso(100), at(1e9))).toBe(false);
});
