import { describe, expect, test } from 'vitest';
import { backoffSeconds, nextStep, PLATFORM_PATIENCE_SECONDS } from '../../src/job/retry.js';

const policy = { maxAttempts: 3, firstDelaySeconds: 5 };

function platformDelay(name: string, failures: number, retryAfter?: number): number {
  const history = { charged: 0, platform: failures, elapsedSeconds: 60 };
  const next = nextStep(policy, history, 'platform', name, retryAfter);
  return next.step === 'retry' ? next.delaySeconds : Number.NaN;
}

describe('after an attempt that left items missing', () => {
  test('the batch waits the first delay, then twice as long', () => {
    expect(nextStep(policy, { charged: 1, platform: 0, elapsedSeconds: 60 }, 'charged', 'b')).toEqual({
      step: 'retry',
      delaySeconds: 5,
    });
    expect(nextStep(policy, { charged: 2, platform: 0, elapsedSeconds: 60 }, 'charged', 'b')).toEqual({
      step: 'retry',
      delaySeconds: 10,
    });
  });

  test('the batch is given up when its attempts are spent, and the sentence says how many', () => {
    expect(nextStep(policy, { charged: 3, platform: 0, elapsedSeconds: 60 }, 'charged', 'b')).toEqual({
      step: 'give-up',
      why: 'items are still missing after 3 of 3 attempts',
    });
  });

  test('a failure of the platform is waited out, however many there were', () => {
    const delay = platformDelay('b', 50);
    expect(delay).toBeGreaterThanOrEqual(300);
    expect(delay).toBeLessThan(375);
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

  test('a platform that fails for two hours ends the batch', () => {
    const history = { charged: 0, platform: 30, elapsedSeconds: PLATFORM_PATIENCE_SECONDS };
    const next = nextStep(policy, history, 'platform', 'b');
    expect(next).toEqual({ step: 'give-up', why: 'the platform failed 30 times within 7200 seconds' });
  });
});

test('a delay doubles with each failure and stays below five minutes', () => {
  expect([1, 2, 3, 4, 7, 8, 100].map((failures) => backoffSeconds(5, failures))).toEqual([
    5, 10, 20, 40, 300, 300, 300,
  ]);
  expect(backoffSeconds(0, 5)).toBe(0);
});
