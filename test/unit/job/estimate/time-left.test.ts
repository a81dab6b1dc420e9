import { expect, test } from 'vitest';
import { createTimeLeft } from '../../../../src/job/estimate/time-left.js';

test('one look gives a wide range, and steady ones a narrow one around the same end', () => {
  const timeLeft = createTimeLeft();
  const first = timeLeft.look({ stage: 'score', secondsLeft: 100 }, 0);
  expect(first).toEqual({ low: 75, high: 125 });
  let last = first;
  for (let at = 2; at <= 40; at += 2) last = timeLeft.look({ stage: 'score', secondsLeft: 100 - at }, at);
  expect(last?.low).toBeGreaterThan(50);
  expect(last?.high).toBeLessThan(70);
  expect(last?.low).toBeLessThan(60);
  expect(last?.high).toBeGreaterThan(60);
});

test('an estimate that jumps keeps the range wide, so that it holds what was said before', () => {
  const timeLeft = createTimeLeft();
  let last;
  for (let at = 0; at <= 60; at += 2)
    last = timeLeft.look({ stage: 'score', secondsLeft: at % 4 === 0 ? 100 : 200 }, at);
  expect(last?.low).toBeLessThan(90);
  expect(last?.high).toBeGreaterThan(180);
});

test('what was said long before the little that is left no longer counts', () => {
  const timeLeft = createTimeLeft();
  for (let at = 0; at < 10; at += 1) timeLeft.look({ stage: 'score', secondsLeft: 80 }, at);
  let last;
  for (let at = 10; at <= 20; at += 1) last = timeLeft.look({ stage: 'score', secondsLeft: 24 - at }, at);
  expect(last?.high).toBeLessThan(7);
});

test('what was said long ago no longer counts', () => {
  const timeLeft = createTimeLeft();
  timeLeft.look({ stage: 'score', secondsLeft: 5000 }, 0);
  let last;
  for (let at = 100; at <= 200; at += 2) last = timeLeft.look({ stage: 'score', secondsLeft: 300 - at }, at);
  expect(last?.high).toBeLessThan(130);
});

test('nothing is said while nobody knows, and another stage or run begins anew', () => {
  const timeLeft = createTimeLeft();
  expect(timeLeft.look({ stage: 'score', secondsLeft: null }, 0)).toBeNull();
  timeLeft.look({ stage: 'score', secondsLeft: 1000 }, 2);
  expect(timeLeft.look({ stage: 'stitch', secondsLeft: 10 }, 4)).toEqual({ low: 7.5, high: 12.5 });
});

test('nothing is left at the end, and never less than that', () => {
  const timeLeft = createTimeLeft();
  timeLeft.look({ stage: 'score', secondsLeft: 2 }, 0);
  expect(timeLeft.look({ stage: 'score', secondsLeft: 0 }, 5)).toEqual({ low: 0, high: 0 });
});
