import { describe, expect, test } from 'vitest';
import {
  type AttemptEnd,
  batchStanding,
  endTogether,
  type Evidence,
  judgeAttempt,
  messageOfEnd,
  type WatchEnd,
} from '../../../../src/job/attempts/attempt-end.js';
import type { Blame } from '../../../../src/job/failure.js';

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

const sentence = (more: Partial<Evidence>): string => messageOfEnd(judgeAttempt(evidence(more)));

const ENDS: WatchEnd[] = ['ended', 'stopped', 'stalled', 'batch-timeout', 'provision-timeout', 'unseen'];
const completed = { outcome: 'completed' } as const;
const interrupted = { outcome: 'interrupted' } as const;

describe('an attempt that ended', () => {
  test.each(ENDS)('with no item missing is complete, even when its watch ended as "%s"', (watchEnd) => {
    expect(verdict({ watchEnd, missing: 0, container: { alive: true, blame: 'user' } })).toBe('complete');
  });

  test.each([
    ['cancelled', 'user', 'The user is gone.'],
    ['failed', 'platform', 'Batch 3 failed.'],
  ] as const)('because its job was stopped as "%s" keeps the reason and whose it is', (reason, blame, message) => {
    const stop = { reason, blame, message };
    expect(judgeAttempt(evidence({ watchEnd: 'stopped', stop }))).toEqual({ end: 'stopped', stop });
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

  test('with an app that runs again says that this is over, unless something else has ended it', () => {
    const container = { alive: false, blame: 'platform', isOver: true } as const;
    expect(judgeAttempt(evidence({ container }))).toMatchObject({ failure: { blame: 'platform', isOver: true } });
    const result = { outcome: 'failed', failure: { blame: 'attempt', message: 'x' } } as const;
    expect(judgeAttempt(evidence({ container, result }))).not.toHaveProperty('failure.isOver');
  });

  test('for want of room leaves another compute to try, and for nothing else', () => {
    const hasNoRoom = (more: Partial<Evidence>) => {
      const judged = judgeAttempt(evidence(more));
      return judged.end === 'failed' && judged.failure.noRoom === true;
    };
    const refused = { alive: false, blame: 'platform', reason: 'no room', noRoom: true } as const;
    expect(hasNoRoom({ container: refused })).toBe(true);
    expect(hasNoRoom({ watchEnd: 'no-room', container: { alive: true } })).toBe(true);
    expect(hasNoRoom({ watchEnd: 'provision-timeout', container: { alive: true } })).toBe(true);
    expect(hasNoRoom({ container: { alive: false, blame: 'platform' } })).toBe(false);
    expect(hasNoRoom({ watchEnd: 'stalled', container: { alive: true } })).toBe(false);
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

  test('is done when its attempt is complete, and stopped with its job', () => {
    expect(batchStanding({ end: 'complete', message: '' })).toBe('done');
    const stop = { reason: 'cancelled', blame: 'user', message: '' } as const;
    expect(batchStanding({ end: 'stopped', stop })).toBe('stopped');
  });

  test('goes on after a failed attempt, unless only the user can mend it', () => {
    expect(batchStanding(failed('user'))).toBe('failed');
    expect(batchStanding(failed('attempt'))).toBe('retrying');
    expect(batchStanding(failed('platform'))).toBe('retrying');
  });
});

describe('several containers that have scored a batch together', () => {
  const complete: AttemptEnd = { end: 'complete', message: '' };
  const failed = (blame: 'user' | 'platform' | 'attempt', message: string): AttemptEnd => ({
    end: 'failed',
    failure: { blame, message },
  });
  const stopped: AttemptEnd = { end: 'stopped', stop: { reason: 'cancelled', blame: 'user', message: 'cancelled' } };

  test('are done when no item is missing, whoever of them was killed', () => {
    expect(endTogether(0, failed('attempt', 'killed'), [failed('attempt', 'killed')])).toEqual(complete);
  });

  test('charge the batch with the end of the first one, never with that of one that came to help', () => {
    const killed = failed('attempt', 'killed');
    expect(endTogether(3, killed, [complete])).toBe(killed);
    expect(endTogether(3, killed, [failed('user', 'no model')])).toBe(killed);
    for (const blame of ['user', 'platform', 'attempt'] as const)
      expect(endTogether(3, complete, [complete, failed(blame, 'killed')])).toEqual(
        failed('platform', 'a container that helped: killed'),
      );
  });

  test('are stopped when one of them was', () => {
    expect(endTogether(3, complete, [stopped])).toBe(stopped);
    expect(endTogether(3, stopped, [failed('attempt', 'killed')])).toBe(stopped);
  });

  test('that the platform ended with each other charge nobody', () => {
    const container = { alive: true };
    expect(judgeAttempt({ watchEnd: 'let-go', missing: 3, container, result: undefined, stop: undefined })).toEqual(
      failed('platform', 'it was ended with another container of its batch'),
    );
  });
});
