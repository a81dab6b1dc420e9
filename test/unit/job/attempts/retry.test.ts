import { describe, expect, test } from 'vitest';
import {
  backoffSeconds,
  type BatchHistory,
  type FailedAttempt,
  MOST_CULPRITS,
  NEW_BATCH,
  nextStep,
  PLATFORM_PATIENCE_SECONDS,
  withFailure,
} from '../../../../src/job/attempts/retry.js';

const policy = { maxAttempts: 3, firstDelaySeconds: 5 };
const HOUR = 3600;

/** `at` in seconds. */
const failure = (
  blame: FailedAttempt['failure']['blame'],
  at = 0,
  progressed = false,
  retryAfterSeconds?: number,
): FailedAttempt => ({
  failure: { blame, message: 'x', retryAfterSeconds },
  progressed,
  scored: progressed,
  identified: false,
  at: at * 1000,
});
const after = (failures: FailedAttempt[]): BatchHistory => failures.reduce(withFailure, NEW_BATCH);

/** What is decided after the last of these. */
function decide(failures: FailedAttempt[], name = 'b') {
  const last = failures.at(-1);
  if (!last) throw new Error('There is at least one failure.');
  return nextStep(policy, after(failures), last, name);
}

function platformDelay(name: string, failures: number, retryAfterSeconds?: number): number {
  const history: BatchHistory = { ...NEW_BATCH, platform: failures };
  const next = nextStep(policy, history, failure('platform', 60, false, retryAfterSeconds), name);
  return next.step === 'retry' ? next.delaySeconds : Number.NaN;
}

describe('after an attempt that left items missing', () => {
  test('the batch waits the first delay, then twice as long', () => {
    expect(decide([failure('attempt')])).toEqual({ step: 'retry', delaySeconds: 5 });
    expect(decide([failure('attempt'), failure('attempt')])).toEqual({ step: 'retry', delaySeconds: 10 });
  });

  test('the batch is given up when its attempts are spent, and the sentence says how many', () => {
    expect(decide([failure('attempt'), failure('attempt'), failure('attempt')])).toEqual({
      step: 'give-up',
      why: 'items are still missing after 3 of 3 attempts',
    });
  });

  test('the batch does not wait for a platform that was started anew, unless it is so again and again', () => {
    const failed = failure('platform');
    const restarted = { ...failed, failure: { ...failed.failure, isOver: true as const } };
    expect(decide([restarted])).toEqual({ step: 'retry', delaySeconds: 0 });
    const delays = [failed, restarted].map((second) => {
      const next = decide([restarted, second]);
      return next.step === 'retry' ? Math.floor(next.delaySeconds) : undefined;
    });
    expect(delays[0]).toBeGreaterThanOrEqual(10);
    expect(delays[1]).toBe(2);
  });

  test('a failure of the platform is waited out, however many there were', () => {
    const delay = platformDelay('b', 50);
    expect(delay).toBeGreaterThanOrEqual(300);
    expect(delay).toBeLessThan(375);
  });

  test('a batch that stands in line behind others waits for as long as it takes', () => {
    const inLine = (at: number): FailedAttempt => ({
      failure: { blame: 'platform', message: 'x', retryAfterSeconds: 8, inLine: true },
      progressed: false,
      scored: false,
      identified: false,
      at: at * 1000,
    });
    const waits = [inLine(0), inLine(HOUR), inLine(9 * HOUR)];
    expect(after(waits)).toEqual(NEW_BATCH);
    const next = decide(waits);
    expect(next).toMatchObject({ step: 'retry' });
    expect(next.step === 'retry' && next.delaySeconds).toBeGreaterThanOrEqual(8);
  });

  test('batches that fail together come back one by one, each time the same way in a replay', () => {
    const delays = Array.from({ length: 100 }, (_, batch) => platformDelay(`coast ${batch}`, 1));
    expect(new Set(delays.map((delay) => delay.toFixed(2))).size).toBeGreaterThan(50);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(5);
    expect(Math.max(...delays)).toBeLessThan(6.25);
    expect(platformDelay('coast 7', 1)).toBe(delays[7]);
    expect(platformDelay('coast 7', 2)).not.toBe(2 * (delays[7] ?? 0));
  });

  test('a platform that says how long to wait is not asked before that', () => {
    expect(platformDelay('b', 1, 90)).toBeGreaterThanOrEqual(90);
    expect(platformDelay('b', 50, 1)).toBeGreaterThanOrEqual(300);
  });
});

describe('the patience with the platform', () => {
  const GIVE_UP = { step: 'give-up', why: 'the platform failed 2 times in a row within 7200 seconds' };

  test('begins with the first failure, however long the batch has been scored before', () => {
    expect(decide([failure('platform', 50 * HOUR)]).step).toBe('retry');
    expect(decide([failure('platform', 50 * HOUR), failure('platform', 52 * HOUR - 1)]).step).toBe('retry');
  });

  test('ends after two hours of failures in a row', () => {
    expect(decide([failure('platform', 50 * HOUR), failure('platform', 52 * HOUR)])).toEqual(GIVE_UP);
  });

  test('begins anew after an attempt that scored something before the platform ended it', () => {
    const failures = [failure('platform', 0), failure('platform', 3 * HOUR, true)];
    expect(decide(failures).step).toBe('retry');
    expect(decide([...failures, failure('platform', 5 * HOUR - 1)]).step).toBe('retry');
    expect(decide([...failures, failure('platform', 5 * HOUR)])).toEqual(GIVE_UP);
  });

  test('begins anew after an attempt that was charged: the platform let it run', () => {
    expect(decide([failure('platform', 0), failure('attempt', 1), failure('platform', 3 * HOUR)]).step).toBe('retry');
  });

  test('and its pauses begin anew together: a short one after an attempt that scored something, then the usual ones', () => {
    const many = Array.from({ length: 9 }, (_, k) => failure('platform', k));
    const delayAfter = (failures: FailedAttempt[]) => {
      const next = decide(failures);
      return next.step === 'retry' ? next.delaySeconds : Number.NaN;
    };
    const progressed = [...many, failure('platform', 10, true)];
    expect(delayAfter(progressed)).toBeLessThan(1.25);
    expect(delayAfter([...progressed, failure('platform', 11)])).toBeGreaterThanOrEqual(10);
  });

  test('holds for every order of five failures: two hours since the last progress or charged end, and no attempt twice', () => {
    const kinds = (['attempt', 'platform'] as const).flatMap((kind) => [false, true].map((made) => ({ kind, made })));
    const orders = Array.from({ length: kinds.length ** 5 }, (_, order) =>
      Array.from({ length: 5 }, (__, place) => kinds[Math.floor(order / kinds.length ** place) % kinds.length]),
    );
    for (const order of orders) {
      const failures = order.map((each, k) => failure(each?.kind ?? 'attempt', k * HOUR, each?.made));
      const { charged, platform } = after(failures);
      expect(charged).toBe(failures.filter(({ failure: { blame } }) => blame === 'attempt').length);
      const last = failures.at(-1);
      if (last?.failure.blame !== 'platform') continue;
      const begun = failures.findLastIndex(({ failure: { blame }, progressed }) => blame === 'attempt' || progressed);
      const first = failures[begun]?.failure.blame === 'platform' ? begun : begun + 1;
      expect(platform).toBe(5 - first);
      const expected = (4 - first) * HOUR >= PLATFORM_PATIENCE_SECONDS ? 'give-up' : 'retry';
      expect(decide(failures).step, JSON.stringify(failures)).toBe(expected);
    }
  });
});

describe('a run that showed of an item that containers end of it', () => {
  const died = failure('attempt');
  const found: FailedAttempt = { ...died, progressed: true, identified: true };
  const foundAndScored: FailedAttempt = { ...found, scored: true };

  test('is not charged, and neither are those that it took to find out', () => {
    const runs = [died, died, found, died, died, foundAndScored, died, died];
    expect(after(runs).charged).toBe(2);
    expect(decide(runs)).toEqual({ step: 'retry', delaySeconds: 10 });
    expect(decide([...runs, found])).toEqual({ step: 'retry', delaySeconds: 5 });
  });

  test('is followed by others only while items are scored between them, so that a batch comes to its end', () => {
    const runs = Array.from({ length: MOST_CULPRITS - 1 }, () => [died, found]).flat();
    expect(decide(runs).step).toBe('retry');
    expect(decide([...runs, died, found])).toEqual({
      step: 'give-up',
      why: `containers ended of each of the last ${MOST_CULPRITS} items that were tried, so the others are not tried`,
    });
    expect(decide([...runs, died, foundAndScored]).step).toBe('retry');
  });
});

test('a delay doubles with each failure and stays below five minutes', () => {
  expect([1, 2, 3, 4, 7, 8, 100].map((failures) => backoffSeconds(5, failures))).toEqual([
    5, 10, 20, 40, 300, 300, 300,
  ]);
  expect(backoffSeconds(0, 5)).toBe(0);
});
