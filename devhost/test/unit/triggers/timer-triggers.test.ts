import type { TimerHandler } from '@azure/functions';
import { expect, it } from 'vitest';
import { UserFault } from '../../../src/log.js';
import { timerListeners, type TimerListener } from '../../../src/triggers/timer-triggers.js';
import type { Span } from '../../../src/tracing/spans.js';
import { core, invoker, log } from '../../support/app-in-process.js';
import { until } from '../../support/until.js';

const { app } = await import('@azure/functions');
let registered = 0;

interface Timer {
  runOnStartup?: boolean;
  useMonitor?: boolean;
  handler?: TimerHandler;
  spans?: Span[];
  /** Statuses that outlive the host. */
  stored?: Map<string, string>;
}

/** What a timer function is told. */
type Told = Parameters<TimerHandler>[0];

function timerWith(schedule: string, { spans = [], stored = new Map(), ...options }: Timer = {}): TimerListener {
  const name = `tick${registered++}`;
  app.timer(name, { schedule, handler: () => undefined, ...options });
  const functions = core.functions.all().filter((each) => each.name === name);
  const statuses = {
    read: () => Promise.resolve(stored.get('status')),
    write: (_: string, status: string) => Promise.resolve(stored.set('status', status)),
  };
  const services = { invoker, log, exportSpans: (ended: readonly Span[]) => void spans.push(...ended) };
  const [listener] = timerListeners(functions, statuses, services);
  if (!listener) throw new Error('no listener');
  return listener;
}

/** Runs a timer until it was told something as often as given, and returns what; then lets it stop. */
async function told(schedule: string, times: number, options: Timer): Promise<Told[]> {
  const all: Told[] = [];
  const timer = timerWith(schedule, { ...options, handler: (info) => void all.push(info) });
  timer.start();
  await until(() => all.length >= times);
  await timer.stop();
  return all;
}

const YEARLY = '0 0 0 1 1 *';
const inYear = (year: number) => `${year}-01-01T00:00:00.000+00:00`;
const thisYear = new Date().getUTCFullYear();
const status = (last: string, next: string) =>
  new Map([['status', JSON.stringify({ Last: last, Next: next, LastUpdated: last })]]);

it.each([
  ['61 * * * * *', /'61 \* \* \* \* \*'.*'tick\d+'/],
  ['daily', /'daily'.*'tick\d+'.*six fields/],
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
  await timers.stop();
  expect(spans).toMatchObject([{ name: expect.stringMatching(/^tick/), kind: 'server', ok, dimensions: {} }]);
  expect(spans[0]?.parentId).toBeUndefined();
  expect(given).toEqual([`00-${spans[0]?.traceId}-${spans[0]?.id}-01`]);
});

it('runs that were missed are made up for by one, which knows that it is late', async () => {
  const stored = status(inYear(2019), inYear(2020));
  expect(await told(YEARLY, 1, { stored, runOnStartup: true })).toEqual([
    {
      isPastDue: true,
      schedule: { adjustForDST: true },
      scheduleStatus: { last: inYear(2019), next: inYear(2020), lastUpdated: inYear(2019) },
    },
  ]);
  expect(JSON.parse(stored.get('status') ?? '')).toMatchObject({ Next: inYear(thisYear + 1) });
  const [again] = await told(YEARLY, 1, { stored, runOnStartup: true });
  expect(again?.isPastDue).toBe(false);
});

it('a timer that missed nothing waits', async () => {
  const stored = status(inYear(thisYear), inYear(thisYear + 1));
  const before = stored.get('status');
  let runs = 0;
  const timer = timerWith(YEARLY, { stored, handler: () => void runs++ });
  timer.start();
  await new Promise((resolve) => setImmediate(resolve));
  await timer.stop();
  expect(runs).toBe(0);
  expect(stored.get('status')).toBe(before);
});

it('a timer without monitor misses nothing and is told no status', async () => {
  const stored = status(inYear(2019), inYear(2020));
  const [first] = await told(YEARLY, 1, { stored, useMonitor: false, runOnStartup: true });
  expect([first?.isPastDue, first?.scheduleStatus]).toEqual([false, null]);
  expect(stored).toEqual(status(inYear(2019), inYear(2020)));
});

it('a timer that runs every second is told no status either, as in Azure', async () => {
  const [first] = await told('* * * * * *', 1, {});
  expect(first).toEqual({ isPastDue: false, schedule: { adjustForDST: true }, scheduleStatus: null });
});

it('a timer whose status cannot be read or stored runs all the same', async () => {
  const away = () => Promise.reject(new Error('storage is away'));
  const runs: Told[] = [];
  const name = `tick${registered++}`;
  app.timer(name, { schedule: YEARLY, runOnStartup: true, handler: (info) => void runs.push(info) });
  const functions = core.functions.all().filter((each) => each.name === name);
  const services = { invoker, log, exportSpans: undefined };
  const [timer] = timerListeners(functions, { read: away, write: away }, services);
  timer?.start();
  await until(() => runs.length === 1);
  await timer?.stop();
});
