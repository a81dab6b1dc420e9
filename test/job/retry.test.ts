import { describe, expect, test } from 'vitest';
import { backoffSeconds, nextStep, PLATFORM_PATIENCE_SECONDS } from '../../src/job/retry.js';

const policy = { maxAttempts: 3, firstDelaySeconds: 5 };

describe('after an attempt that left items missing', () => {
  test('the batch waits the first delay, then twice as long', () => {
    expect(nextStep(policy, { charged: 1, platform: 0, elapsedSeconds: 60 }, 'charged')).toEqual({
      step: 'retry',
      delaySeconds: 5,
    });
    expect(nextStep(policy, { charged: 2, platform: 0, elapsedSeconds: 60 }, 'charged')).toEqual({
      step: 'retry',
      delaySeconds: 10,
    });
  });

  test('the batch is given up when its attempts are spent, and the sentence says how many', () => {
    expect(nextStep(policy, { charged: 3, platform: 0, elapsedSeconds: 60 }, 'charged')).toEqual({
      step: 'give-up',
      why: 'items are still missing after 3 of 3 attempts',
    });
  });

  test('a failure of the platform is waited out, however many there were', () => {
    expect(nextStep(policy, { charged: 2, platform: 50, elapsedSeconds: 60 }, 'platform')).toEqual({
      step: 'retry',
      delaySeconds: 300,
    });
  });

  test('a platform that fails for two hours ends the batch', () => {
    const next = nextStep(policy, { charged: 0, platform: 30, elapsedSeconds: PLATFORM_PATIENCE_SECONDS }, 'platform');
    expect(next).toEqual({ step: 'give-up', why: 'the platform failed 30 times within 7200 seconds' });
  });
});

test('a delay doubles with each failure and stays below five minutes', () => {
  expect([1, 2, 3, 4, 7, 8, 100].map((failures) => backoffSeconds(5, failures))).toEqual([
    5, 10, 20, 40, 300, 300, 300,
  ]);
  expect(backoffSeconds(0, 5)).toBe(0);
});
