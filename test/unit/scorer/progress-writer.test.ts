import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AttemptProgress } from '../../../src/container-contract/progress.js';
import { ProgressWriter } from '../../../src/scorer/run/progress-writer.js';

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

  it('writes at once, then every second, less often as it gets older, and a last time', async () => {
    const write = vi.fn(() => Promise.resolve());
    const writer = new ProgressWriter(() => progress, write, vi.fn());
    writer.start();
    expect(write).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(write.mock.calls.length).toBeGreaterThanOrEqual(11);
    await vi.advanceTimersByTimeAsync(3_590_000);
    const before = write.mock.calls.length;
    expect(before).toBeLessThan(400);
    await writer.end();
    await vi.advanceTimersByTimeAsync(5000);
    expect(write).toHaveBeenCalledTimes(before + 1);
  });

  it('says each time when it writes again, except the last time', async () => {
    const said: { at: number; pauseSeconds?: number }[] = [];
    const write = (text: string) => {
      const { pauseSeconds } = JSON.parse(text) as AttemptProgress;
      said.push({ at: performance.now() / 1000, ...(pauseSeconds === undefined ? {} : { pauseSeconds }) });
      return Promise.resolve();
    };
    const writer = new ProgressWriter(() => progress, write, vi.fn());
    writer.start();
    await vi.advanceTimersByTimeAsync(300_000);
    await writer.end();
    expect(said.pop()).not.toHaveProperty('pauseSeconds');
    for (const [k, { at: wrote }] of said.slice(1).entries())
      expect(wrote - (said[k]?.at ?? 0)).toBeCloseTo(said[k]?.pauseSeconds ?? 0);
  });

  it('gives the counts as lowercase metadata', async () => {
    const write = vi.fn<(text: string, metadata: Record<string, string>) => Promise<void>>(() => Promise.resolve());
    await new ProgressWriter(() => progress, write, vi.fn()).end();
    const counts = { done: '3', skipped: '4', failed: '1', total: '9', phase: 'scoring', attempt: '2', lastitemat: at };
    expect(write).toHaveBeenCalledWith(JSON.stringify(progress), counts);
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
