import { describe, expect, test } from 'vitest';
import { writePack } from '../../../../src/container-contract/pack.js';
import type { BatchRow } from '../../../../src/api/jobs.js';
import { groupFailures } from '../../../../src/page/job/failures.js';
import { linesIn } from '../../../../src/page/job/pictures/frame-table.js';
import { findMember, readPpm } from '../../../../src/page/job/pictures/picture.js';
import { rateOverTime, sampleRate } from '../../../../src/page/job/speed.js';
import { createTimeAxis } from '../../../../src/page/job/time-axis.js';
import { timeLeftInWords } from '../../../../src/page/words.js';
import { attemptInWords, barsOf, inOrder } from '../../../../src/page/job/timeline.js';

type Attempt = BatchRow['attempts'][number];

const attemptOf = (more: Partial<Attempt> = {}): Attempt => ({
  attempt: 1,
  helps: null,
  place: 'local',
  launchedAt: 1000,
  placedAt: null,
  pulledAt: null,
  startedAt: 2000,
  modelLoadedAt: 5000,
  firstItemAt: 6000,
  lastItemAt: 16_000,
  endedAt: 17_000,
  end: 'complete',
  blame: null,
  message: '',
  ...more,
});
const rowOf = (batch: number, more: Partial<BatchRow> = {}): BatchRow => ({
  batch,
  first: batch * 10,
  count: 10,
  state: 'done',
  done: 10,
  failed: 0,
  waiting: null,
  message: '',
  runs: 1,
  attempts: [attemptOf()],
  ...more,
});

describe('a picture in storage', () => {
  test('is found in its pack by the end of the file', async () => {
    const parts: Uint8Array[] = [];
    const names = ['0000063.ppm', '0000064.ppm', '0000065.ppm'];
    const members = names.map((name, k) => ({ name, bytes: Buffer.from(`content ${'x'.repeat(k)}`) }));
    for await (const part of writePack(members)) parts.push(part);
    const pack = Buffer.concat(parts);
    for (const tailBytes of [pack.length, pack.length - 20]) {
      const tail = pack.subarray(pack.length - tailBytes);
      const { from = 0, bytes = 0 } = findMember(tail, pack.length, '0000064.ppm') ?? {};
      expect(pack.subarray(from, from + bytes).toString()).toBe('content x');
    }
    expect(findMember(pack, pack.length, '0000066.ppm')).toBeUndefined();
    expect(findMember(pack.subarray(-30), pack.length, '0000064.ppm')).toBeUndefined();
    expect(findMember(Buffer.from('no zip at all, whatever it is called'), 36, 'a')).toBeUndefined();
    expect(findMember(new Uint8Array(), 0, 'a')).toBeUndefined();
  });

  test('is drawn from raw pixels, and refused when it is none or cut off', () => {
    const ppm = Buffer.concat([Buffer.from('P6\n2 1\n255\n'), Buffer.from([1, 2, 3, 4, 5, 6])]);
    expect(readPpm(ppm)).toEqual({ width: 2, height: 1, data: Uint8ClampedArray.of(1, 2, 3, 255, 4, 5, 6, 255) });
    expect(() => readPpm(ppm.subarray(0, -1))).toThrow(/cut off/);
    expect(() => readPpm(Buffer.from('<img src=x onerror=alert(1)>'))).toThrow(/no picture/);
  });
});

describe('the time axis', () => {
  test('is even where something goes on all the time', () => {
    const { at, breaks } = createTimeAxis([
      { from: 0, to: 60_000 },
      { from: 50_000, to: 100_000 },
    ]);
    expect(breaks).toEqual([]);
    expect([0, 25_000, 50_000, 100_000, -5, 200_000].map(at)).toEqual([0, 0.25, 0.5, 1, 0, 1]);
  });

  test('squeezes a night in which nothing happened, and says so', () => {
    const night = 9 * 3_600_000;
    const { at, breaks, ticks } = createTimeAxis([
      { from: 0, to: 60_000 },
      { from: night, to: night + 60_000 },
    ]);
    expect(breaks).toMatchObject([{ from: 60_000, to: night }]);
    expect(at(60_000)).toBeGreaterThan(0.4);
    expect(at(night) - at(60_000)).toBeLessThan(0.05);
    expect(at(night + 60_000)).toBe(1);
    expect(ticks.map((tick) => tick.at)).toEqual(ticks.map((tick) => tick.at).toSorted((one, other) => one - other));
  });

  test('leaves a short pause as it is, and stays an axis however many gaps there are', () => {
    expect(
      createTimeAxis([
        { from: 0, to: 60_000 },
        { from: 65_000, to: 90_000 },
      ]).breaks,
    ).toEqual([]);
    const many = Array.from({ length: 100 }, (_, k) => ({ from: k * 1e6, to: k * 1e6 + 1000 }));
    const { at } = createTimeAxis(many);
    const places = many.map(({ from }) => at(from));
    expect(places).toEqual(places.toSorted((one, other) => one - other));
    expect(at(99e6 + 1000)).toBeCloseTo(1);
    expect(createTimeAxis([]).at(5)).toBe(0);
  });
});

describe('the time left', () => {
  test.each([
    [{ low: 2, high: 4 }, 'a few seconds left'],
    [{ low: 31, high: 44 }, '30–45 s left'],
    [{ low: 170, high: 290 }, '2–5 min left'],
    [{ low: 3500, high: 7300 }, '50 min to 2 h 10 min left'],
  ])('is said in words: %j', (range, words) => {
    expect(timeLeftInWords(range)).toBe(words);
  });
});

describe('what an attempt did', () => {
  test('is shown phase by phase, without those that nobody saw', () => {
    expect(barsOf(attemptOf(), 99_000).map(({ kind, from, to }) => [kind, from, to])).toEqual([
      ['start', 1000, 2000],
      ['model', 2000, 5000],
      ['first', 5000, 6000],
      ['score', 6000, 16_000],
      ['store', 16_000, 17_000],
    ]);
    expect(barsOf(attemptOf({ launchedAt: null, startedAt: null }), 99_000)).toEqual([]);
  });

  test('lasts until now while it runs, whatever it does', () => {
    const open = { endedAt: null, end: null, lastItemAt: null } as const;
    const last = (more: Partial<Attempt>) => barsOf(attemptOf({ ...open, ...more }), 20_000).at(-1);
    expect(last({})).toMatchObject({ kind: 'score', to: 20_000 });
    expect(last({ firstItemAt: null })).toMatchObject({ kind: 'first', from: 5000, to: 20_000 });
    expect(last({ firstItemAt: null, modelLoadedAt: null, startedAt: null })).toMatchObject({
      kind: 'start',
      from: 1000,
    });
  });

  test('is said in a sentence', () => {
    const failed = attemptOf({ attempt: 2, helps: 1, end: 'failed', message: 'it was evicted' });
    expect(attemptInWords(7, failed, 0)).toBe(
      'Attempt 2 of batch 0007 on local, which helps attempt 1: starts 1 s, loads the model 3 s, scores its first item 1 s, scores 10 s, stores its result 1 s; failed: it was evicted.',
    );
  });
});

test('batches that failed come first, then those that had failures, what runs, what is done and what is to come', () => {
  const rows = [
    rowOf(0),
    rowOf(1, { state: 'pending', attempts: [] }),
    rowOf(2, { state: 'running' }),
    rowOf(3, { attempts: [attemptOf({ end: 'failed' }), attemptOf({ attempt: 2 })] }),
    rowOf(4, { state: 'failed' }),
  ];
  expect(inOrder(rows).map(({ batch }) => batch)).toEqual([4, 3, 2, 0, 1]);
});

test('failures are grouped by whose they are and what they say, numbers aside', () => {
  const failed = (blame: Attempt['blame'], message: string) => attemptOf({ end: 'failed', blame, message });
  const rows = [
    rowOf(0, { attempts: [failed('platform', 'evicted after 12 s'), failed('attempt', 'killed by SIGKILL')] }),
    rowOf(1, { attempts: [failed('platform', 'evicted after 907 s')] }),
    rowOf(2, { failed: 2, message: 'item 21 failed: it is cut off' }),
    rowOf(3),
  ];
  expect(groupFailures(rows).map(({ blame, count, batches }) => [blame, count, batches])).toEqual([
    ['item', 2, [2]],
    ['attempt', 1, [0]],
    ['platform', 2, [0, 1]],
  ]);
  expect(groupFailures([rowOf(0)])).toEqual([]);
});

describe('the rate', () => {
  test('adds up what containers do at the same time', () => {
    const steps = rateOverTime([rowOf(0), rowOf(1, { attempts: [attemptOf({ lastItemAt: 27_000 })] })], 0);
    expect(steps.map(({ at }) => at)).toEqual([5000, 16_000, 27_000]);
    expect(steps[0]?.rate).toBeCloseTo(10 / 11 + 10 / 22);
    expect(steps.at(-1)?.rate).toBe(0);
    const samples = sampleRate(steps, 22);
    const items = samples.reduce((sum, each) => sum + each, 0);
    expect(items).toBeCloseTo(20);
  });

  test('is unknown until something is scored', () => {
    expect(sampleRate(rateOverTime([rowOf(0, { attempts: [attemptOf({ firstItemAt: null })] })], 0))).toEqual([]);
  });
});

describe('a part of a file of lines', () => {
  const part = (text: string) => new TextEncoder().encode(text);

  test('gives the lines that are there whole, and where the next one begins', () => {
    expect(linesIn(part('a\nbü\nc'), 9, false)).toEqual({ lines: ['a', 'bü'], bytes: 6 });
    expect(linesIn(part('a\nb\nc\n'), 2, false)).toEqual({ lines: ['a', 'b'], bytes: 4 });
    expect(linesIn(part('abc'), 9, false)).toEqual({ lines: [], bytes: 0 });
  });

  test('gives the last line of a file, with or without its end', () => {
    expect(linesIn(part('a\nb'), 9, true)).toEqual({ lines: ['a', 'b'], bytes: 3 });
    expect(linesIn(part('a\n'), 9, true)).toEqual({ lines: ['a'], bytes: 2 });
    expect(linesIn(part(''), 9, true)).toEqual({ lines: [], bytes: 0 });
  });
});
