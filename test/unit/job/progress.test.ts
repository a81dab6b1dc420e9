import { describe, expect, test } from 'vitest';
import { planBatches } from '../../../src/job/plan.js';
import {
  countProgress,
  estimate,
  inWords,
  pauseAtAge,
  publishedIn,
  type RunningCounts,
  type SettledCounts,
  type Stage,
} from '../../../src/job/progress.js';

const plan = planBatches(100, 25, 2);
const settled = (
  batch: number,
  state: SettledCounts['state'],
  done: number,
  failed = 0,
  attempt = 1,
): SettledCounts => ({ batch, attempt, done, failed, state });
const report = (batch: number, attempt: number, done: number, failed = 0, skipped = 0): RunningCounts => ({
  batch,
  attempt,
  done,
  failed,
  skipped,
});

describe('the progress of a job', () => {
  test('begins with every batch pending', () => {
    expect(countProgress(plan, [], [])).toEqual({
      items: { total: 100, done: 0, failed: 0 },
      batches: { total: 4, pending: 4, running: 0, done: 0, failed: 0 },
    });
  });

  test('counts what was taken over from other jobs among what is done', () => {
    const batches = [
      { ...settled(0, 'done', 25), reused: 25 },
      { ...settled(1, 'done', 25), reused: 5 },
    ];
    expect(countProgress(plan, batches, []).items).toEqual({ total: 100, done: 50, failed: 0, reused: 30 });
  });

  test('adds settled batches and running containers', () => {
    const counts = countProgress(plan, [settled(0, 'done', 24, 1)], [report(0, 1, 24, 1), report(1, 1, 10)]);
    expect(counts.items).toEqual({ total: 100, done: 34, failed: 1 });
    expect(counts.batches).toEqual({ total: 4, pending: 2, running: 1, done: 1, failed: 0 });
  });

  test('does not count an item twice when a batch is retried', () => {
    const counts = countProgress(plan, [settled(0, 'retrying', 12)], [report(0, 1, 11), report(0, 2, 5, 0, 12)]);
    expect(counts.items.done).toBe(17);
    expect(counts.batches).toEqual({ total: 4, pending: 3, running: 1, done: 0, failed: 0 });
  });

  test('never goes back, whatever happens to a batch', () => {
    const moments: [what: string, settledBatches: SettledCounts[], reports: RunningCounts[]][] = [
      ['the first attempt scores', [], [report(0, 1, 10)]],
      ['its scorer is killed and is being settled', [settled(0, 'retrying', 0)], [report(0, 1, 10)]],
      ['it is settled', [settled(0, 'retrying', 12)], [report(0, 1, 10)]],
      ['the second begins', [settled(0, 'retrying', 12)], [report(0, 1, 10), report(0, 2, 0, 0, 12)]],
      ['it scores', [settled(0, 'retrying', 12)], [report(0, 1, 10), report(0, 2, 4, 0, 12)]],
      ['the host dies and starts the same attempt again', [settled(0, 'retrying', 12)], [report(0, 2, 0, 0, 17)]],
      ['it is settled again', [settled(0, 'done', 25, 0, 2)], [report(0, 2, 8, 0, 17)]],
      ['an output is lost and the batch runs again', [settled(0, 'done', 25, 0, 2)], [report(0, 3, 0, 0, 24)]],
    ];
    const done = moments.map(([what, before, reports]) => [countProgress(plan, before, reports).items.done, what]);
    expect(done).toEqual(done.toSorted(([one], [other]) => Number(one) - Number(other)));
    expect(done.at(-1)?.[0]).toBe(25);
  });

  test('adds what containers score that help another one of a batch, and does not fall when one of them starts again', () => {
    const first = { ...report(0, 1, 8), startedAt: '2026-01-01T00:00:01Z' };
    const helper = { ...report(0, 2, 5), helps: 1, startedAt: '2026-01-01T00:00:05Z' };
    const next = { ...report(0, 3, 1, 0, 20), startedAt: '2026-01-01T00:00:20Z' };
    const moments: [settledBatches: SettledCounts[], reports: RunningCounts[], done: number][] = [
      [[], [first], 8],
      [[], [first, { ...helper, done: 0 }], 8],
      [[], [first, helper], 13],
      [[], [first, { ...helper, done: 0, skipped: 5, startedAt: '2026-01-01T00:00:09Z' }], 13],
      [[], [{ ...first, done: 1, skipped: 13, startedAt: '2026-01-01T00:00:09Z' }, helper], 14],
      [[settled(0, 'retrying', 20, 0, 2)], [first, helper], 20],
      [[settled(0, 'retrying', 20, 0, 2)], [first, helper, next], 21],
    ];
    for (const [before, reports, done] of moments) {
      const { items, batches } = countProgress(plan, before, reports);
      expect(items.done).toBe(done);
      expect(batches.running).toBe(1);
    }
  });

  test('counts what earlier runs have scored of a batch that has not begun', () => {
    const adopted = { batches: 3, items: 75, done: 90 };
    expect(countProgress(plan, [], [], adopted).items.done).toBe(90);
    expect(countProgress(plan, [], [report(1, 1, 1, 0, 15)], adopted).items.done).toBe(91);
  });

  test('counts a batch that was given up as failed', () => {
    expect(countProgress(plan, [settled(3, 'failed', 20, 5)], []).batches).toEqual({
      total: 4,
      pending: 3,
      running: 0,
      done: 0,
      failed: 1,
    });
  });

  test('never shows more done than there is', () => {
    expect(countProgress(planBatches(10, 10, 1), [], [report(0, 1, 10, 0, 3)]).items.done).toBe(10);
  });
});

describe('an estimate', () => {
  test('is unknown until something has been done', () => {
    expect(estimate(0, 10, 5, 0)).toEqual({ rate: null, secondsLeft: null });
  });

  test('goes on at the rate so far and adds what follows', () => {
    expect(estimate(20, 100, 10, 3)).toEqual({ rate: 2, secondsLeft: 43 });
  });

  test('of counts that are some seconds old falls meanwhile, but not below nothing', () => {
    expect(estimate(20, 100, 10, 3, 6)).toEqual({ rate: 2, secondsLeft: 37 });
    expect(estimate(99, 100, 99, 0, 6)).toEqual({ rate: 1, secondsLeft: 0 });
  });
});

test('what is told of something young is two seconds old at most, and later a tenth of its age, but never old', () => {
  expect([0, 1, 10, 30, 100, 86_400].map(pauseAtAge)).toEqual([2, 2, 2, 3, 10, 10]);
});

test('a job says in words what it does and how it ended', () => {
  const startedAt = '2026-01-01T00:00:00.000Z';
  const at = (stage: Stage) => ({ stages: [{ stage, startedAt }], plan });
  expect(inWords({ stages: [] })).toBe('begins');
  expect(inWords(at('gather'))).toBe('waits for images');
  expect(inWords({ ...at('gather'), gathering: 'waits for images: 3 of 9 are there' })).toMatch(/3 of 9/);
  expect(inWords(at('split'))).toBe('splits the video into frames');
  expect(inWords(at('score'))).toBe('scores 100 items in 4 batches, 2 at a time');
  const ended = { stages: [{ stage: 'finish', startedAt, seconds: 1 } as const], items: 1, plan };
  expect(inWords(ended)).toBe('done with 1 item');
  const error = { kind: 'user', message: 'There is no video.' } as const;
  expect(inWords({ ...ended, error })).toBe('failed: There is no video.');
  expect(inWords({ ...ended, error, cancelled: true })).toBe('was cancelled');
});

test('a custom status that somebody else has set is not taken for what a job has published', () => {
  for (const set of [null, undefined, 'paused', 7, [], { a: 1 }, { stages: 'none' }])
    expect(publishedIn(set)).toBeUndefined();
  const published = { stages: [] };
  expect(publishedIn(published)).toBe(published);
});
