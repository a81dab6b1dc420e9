import type { TimerHandler } from '@azure/functions';
import { expect, it } from 'vitest';
import { Log, UserFault } from '../../../src/log.js';
import { TimerTriggers } from '../../../src/triggers/timer-triggers.js';
import type { Span } from '../../../src/tracing/spans.js';
import { core, invoker } from '../../support/app-in-process.js';
import { until } from '../../support/until.js';

const { app } = await import('@azure/functions');
let registered = 0;

interface Timer {
  runOnStartup?: boolean;
  handler?: TimerHandler;
  spans?: Span[];
}

function timerWith(schedule: string, { spans = [], ...options }: Timer = {}): TimerTriggers {
  const name = `tick${registered++}`;
  app.timer(name, { schedule, handler: () => undefined, ...options });
  const timer = core.functions.all().filter((each) => each.name === name);
  return new TimerTriggers(timer, invoker, new Log(false), (ended) => void spans.push(...ended));
}

it.each([
  ['61 * * * * *', /'61 \* \* \* \* \*'.*'tick\d+'/],
  ['*/5 * * * *', /'\*\/5 \* \* \* \*'.*'tick\d+'/],
  ['%NEVER_SET%', /'tick\d+'.*NEVER_SET.*not set/],
])('the schedule %s is refused with the name of its function', (schedule, facts) => {
  expect(() => timerWith(schedule)).toThrow(UserFault);
  expect(() => timerWith(schedule)).toThrow(facts);
});

it.each([
  ['succeeds', true],
  ['throws', false],
])('a run that %s is a trace of its own, and the function gets it', async (_, ok) => {
  const spans: Span[] = [];
  const given: unknown[] = [];
  const handler: TimerHandler = (_timer, { traceContext }) => {
    given.push(traceContext?.traceParent);
    if (!ok) throw new Error('on purpose');
  };
  const timers = timerWith('0 0 0 1 1 *', { runOnStartup: true, handler, spans });
  timers.start();
  await until(() => spans.length > 0);
  timers.stop();
  expect(spans).toMatchObject([{ name: expect.stringMatching(/^tick/), kind: 'server', ok, dimensions: {} }]);
  expect(spans[0]?.parentId).toBeUndefined();
  expect(given).toEqual([`00-${spans[0]?.traceId}-${spans[0]?.id}-01`]);
});
