import { describe, expect, test } from 'vitest';
import {
  batchStanding,
  type Evidence,
  judgeAttempt,
  tooManyFailed,
  type WatchEnd,
} from '../../../src/job/attempt-end.js';
import type { Blame } from '../../../src/job/failure.js';

const evidence = (more: Partial<Evidence> = {}): Evidence => ({
  watchEnd: 'ended',
  missing: 5,
  container: { alive: false },
  result: undefined,
  stop: undefined,
  ...more,
});

/** Whose failure it is; for an attempt that did not fail, how it ended. */
function verdict(more: Partial<Evidence>): string {
  const judged = judgeAttempt(evidence(more));
  return judged.end === 'failed' ? judged.failure.blame : judged.end;
}

function sentence(more: Partial<Evidence>): string {
  const judged = judgeAttempt(evidence(more));
  return judged.end === 'failed' ? judged.failure.message : judged.message;
}

const ENDS: WatchEnd[] = ['ended', 'stopped', 'stalled', 'batch-timeout', 'provision-timeout', 'unseen'];
const completed = { outcome: 'completed' } as const;
const interrupted = { outcome: 'interrupted' } as const;

describe('an attempt that ended', () => {
  test.each(ENDS)('with no item missing is complete, even when its watch ended as "%s"', (watchEnd) => {
    expect(verdict({ watchEnd, missing: 0, container: { alive: true, blame: 'user' } })).toBe('complete');
  });

  test.each([
    ['cancelled', 'cancelled', 'The user is gone.'],
    ['failed', 'stopped', 'Batch 3 failed.'],
  ] as const)('because its job was stopped as "%s" counts as %s and keeps the reason', (reason, end, message) => {
    const stopped = { watchEnd: 'stopped', stop: { reason, message } } as const;
    expect(verdict(stopped)).toBe(end);
    expect(sentence(stopped)).toBe(message);
  });

  test('with a failure that the scorer reports is blamed as the scorer says, whatever the platform saw', () => {
    for (const blame of ['user', 'platform'] satisfies Blame[]) {
      const failure = { blame, message: 'The model cannot be loaded.' };
      const result = { outcome: 'failed', failure } as const;
      for (const watchEnd of ENDS.filter((end) => end !== 'stopped'))
        for (const seen of [undefined, 'user', 'platform'] as const)
          expect(judgeAttempt(evidence({ watchEnd, result, container: { alive: false, blame: seen } }))).toEqual({
            end: 'failed',
            failure,
          });
    }
  });

  test.each<[string, Blame, RegExp, Partial<Evidence>]>([
    ['without a sign of life in time', 'platform', /no sign of life/, { watchEnd: 'provision-timeout' }],
    ['that cannot run as it is set up', 'user', /cannot run/, { container: { alive: false, blame: 'user' } }],
    ['that its platform ended', 'platform', /interrupted/, { container: { alive: false, blame: 'platform' } }],
    ['whose scorer was told to end', 'platform', /interrupted/, { result: interrupted }],
    [
      'that could not be looked at',
      'platform',
      /could not check on the container/,
      { watchEnd: 'unseen', container: { alive: true } },
    ],
    ['that handled no item for too long', 'attempt', /stallSeconds/, { watchEnd: 'stalled' }],
    ['that took too long', 'attempt', /batchSeconds/, { watchEnd: 'batch-timeout' }],
    ['whose scorer left items behind', 'attempt', /without scoring every item/, { result: completed }],
    ['whose scorer died', 'attempt', /without a result/, {}],
    ['that could not be looked at but is over', 'attempt', /without a result/, { watchEnd: 'unseen' }],
  ])('%s: %s', (_, blame, message, more) => {
    expect(verdict(more)).toBe(blame);
    expect(sentence(more)).toMatch(message);
  });

  test('says why its container ended in the words of the compute, where the compute knows', () => {
    const reason = 'the scorer was killed by SIGKILL';
    expect(sentence({ container: { alive: false, reason } })).toBe(reason);
    expect(sentence({ container: { alive: false, blame: 'platform', reason } })).toBe(reason);
    expect(sentence({ container: { alive: false, blame: 'user', reason } })).toBe(reason);
    expect(sentence({ watchEnd: 'stalled', container: { alive: true, reason } })).not.toBe(reason);
  });
});

describe('a batch', () => {
  const failed = (blame: Blame) => ({ end: 'failed', failure: { blame, message: 'x' } }) as const;

  test.each([
    ['complete', 0, 'done'],
    ['stopped', 2, 'stopped'],
    ['cancelled', 0, 'stopped'],
  ] as const)('whose attempt ended as "%s" with %i attempts left is %s', (end, attemptsLeft, standing) => {
    expect(batchStanding({ end, message: '' }, attemptsLeft)).toBe(standing);
  });

  test('is given up for what only the user can mend, and when its attempts are spent', () => {
    expect(batchStanding(failed('user'), 5)).toBe('failed');
    expect(batchStanding(failed('attempt'), 0)).toBe('failed');
    expect(batchStanding(failed('attempt'), 1)).toBe('retrying');
  });

  test('is never given up for one failure of its platform', () => {
    expect(batchStanding(failed('platform'), 0)).toBe('retrying');
  });
});

test('the sentence for too many failed items names both numbers and one reason', () => {
  expect(tooManyFailed(1, 0, 'a.png: broken')).toMatch(/^1 item .*failedItems is 0 \(a\.png: broken\)\.$/);
  expect(tooManyFailed(8, 7, 'x')).toMatch(/^8 items .*failedItems is 7/);
});
