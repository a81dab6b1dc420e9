import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AttemptProgress } from '../../../src/container-contract/progress.js';
import { ProgressWriter } from '../../../src/scorer/records/progress-writer.js';

const at = '2026-01-02T03:04:05.678Z';
const progress: AttemptProgress = {
  batch: 1,
  attempt: 2,
  total: 9,
  done: 3,
  skipped: 4,
  failed: 1,
  phase: 'scoring',
  startedAt: at,
  times: {},
  failedItems: [],
  lastItemAt: at,
  updatedAt: at,
};

describe('ProgressWriter', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Runs for so long with an item that is done every `each` seconds. @returns when it wrote, and what. */
  async function run(seconds: number, each: number) {
    const wrote: { at: number; done: number; pauseSeconds?: number }[] = [];
    const write = (text: string) => {
      const { done, pauseSeconds } = JSON.parse(text) as AttemptProgress;
      wrote.push({ at: performance.now() / 1000, done, ...(pauseSeconds !== undefined && { pauseSeconds }) });
      return Promise.resolve();
    };
    const began = performance.now();
    const current = () => ({ ...progress, done: Math.floor((performance.now() - began) / 1000 / each) });
    const writer = new ProgressWriter(current, write, vi.fn());
    writer.start();
    await vi.advanceTimersByTimeAsync(seconds * 1000);
    const before = wrote.length;
    await writer.end();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(wrote).toHaveLength(before + 1);
    return wrote;
  }

  const gapsIn = (wrote: { at: number }[]) => wrote.slice(1).map(({ at: then }, k) => then - (wrote[k]?.at ?? 0));

  it('writes at once, then what is new before it is two seconds old, however old it gets itself, and a last time', async () => {
    const wrote = await run(600, 0.1);
    expect(wrote[0]).toMatchObject({ done: 0 });
    expect(new Set(gapsIn(wrote).slice(0, -1))).toEqual(new Set([1.5]));
    expect(wrote.length).toBeLessThan(410);
  });

  it('writes soon what is new seldom', async () => {
    const wrote = await run(100, 6);
    for (const { at: then, done } of wrote.slice(0, -1)) expect(then - (wrote[0]?.at ?? 0) - done * 6).toBeLessThan(1);
    expect(wrote.length).toBeLessThan(20);
  });

  it('writes every ten seconds without news, and says each time when it does at the latest, except the last time', async () => {
    const wrote = await run(300, Infinity);
    expect(gapsIn(wrote).slice(0, -1)).toEqual(Array.from({ length: 30 }, () => 10));
    expect(wrote.pop()).not.toHaveProperty('pauseSeconds');
    expect(new Set(wrote.map(({ pauseSeconds }) => pauseSeconds))).toEqual(new Set([10]));
  });

  it('writes at once that scoring has begun, and that there is a first item', async () => {
    const current = { ...progress, times: {}, phase: 'starting', done: 0 } as {
      -readonly [K in keyof AttemptProgress]: AttemptProgress[K];
    };
    const write = vi.fn(() => Promise.resolve());
    const writer = new ProgressWriter(() => current, write, vi.fn());
    writer.start();
    current.phase = 'scoring';
    await vi.advanceTimersByTimeAsync(1000);
    expect(write).toHaveBeenCalledTimes(2);
    current.times.firstItem = at;
    await vi.advanceTimersByTimeAsync(1000);
    expect(write).toHaveBeenCalledTimes(3);
    await writer.end();
  });

  it('gives the counts as lowercase metadata', async () => {
    const write = vi.fn<(text: string, metadata: Record<string, string>) => Promise<void>>(() => Promise.resolve());
    await new ProgressWriter(() => progress, write, vi.fn()).end();
    const counts = { done: '3', skipped: '4', failed: '1', total: '9', phase: 'scoring', attempt: '2' };
    const times = { startedat: at, lastitemat: at, updatedat: at };
    expect(write).toHaveBeenCalledWith(JSON.stringify(progress), { ...counts, ...times });
  });

  it('never writes twice at once', async () => {
    let finish = () => {};
    const write = vi.fn(() => new Promise<void>((resolve) => (finish = resolve)));
    const writer = new ProgressWriter(() => progress, write, vi.fn());
    writer.start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(write).toHaveBeenCalledTimes(1);
    const ended = writer.end();
    finish();
    await vi.advanceTimersByTimeAsync(1);
    finish();
    await ended;
    expect(write).toHaveBeenCalledTimes(2);
  });

  it('goes on after a failed write', async () => {
    const warn = vi.fn();
    await new ProgressWriter(
      () => progress,
      () => Promise.reject(new Error('HTTP 503')),
      warn,
    ).end();
    expect(warn).toHaveBeenCalledWith('progress not written: HTTP 503');
  });
});
