import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ItemTimings } from '../../../src/container-contract/result.js';
import { TimingsWriter } from '../../../src/scorer/records/timings-writer.js';

const item = (name: string): ItemTimings => ({
  item: name,
  fetch: 1.234_56,
  decode: 2,
  prepare: 0,
  infer: 30.06,
  finish: 0,
  encode: 4,
  store: 5,
});
const line = (name: string) =>
  `{"item":"${name}","fetch":1.2,"decode":2,"prepare":0,"infer":30.1,"finish":0,"encode":4,"store":5}\n`;

describe('TimingsWriter', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const recorder = (append = (_text: string) => Promise.resolve()) => {
    const write = vi.fn(append);
    const warn = vi.fn();
    return { write, warn, writer: new TimingsWriter(write, warn) };
  };

  it('writes nothing for a run that handles no item', async () => {
    const { write, writer } = recorder();
    await vi.advanceTimersByTimeAsync(60_000);
    await writer.end();
    expect(write).not.toHaveBeenCalled();
  });

  it('writes one line for each item, twice a minute and at the end', async () => {
    const { write, writer } = recorder();
    writer.add(item('a'));
    writer.add({ ...item('b'), failed: true });
    await vi.advanceTimersByTimeAsync(45_000);
    expect(write.mock.calls).toEqual([[line('a') + line('b').replace('}', ',"failed":true}')]]);
    await vi.advanceTimersByTimeAsync(45_000);
    expect(write).toHaveBeenCalledTimes(1);
    writer.add(item('c'));
    await writer.end();
    expect(write.mock.calls[1]).toEqual([line('c')]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(write).toHaveBeenCalledTimes(2);
  });

  it('writes before its time when much has come together', () => {
    const { write, writer } = recorder();
    for (let index = 0; index < 20_000; index += 1) writer.add(item(`image-${index}`));
    expect(write).toHaveBeenCalledTimes(1);
  });

  it('never writes twice at once, and waits for a write at the end', async () => {
    let finish = () => {};
    const { write, writer } = recorder(() => new Promise<void>((resolve) => (finish = resolve)));
    writer.add(item('a'));
    await vi.advanceTimersByTimeAsync(30_000);
    writer.add(item('b'));
    await vi.advanceTimersByTimeAsync(30_000);
    expect(write).toHaveBeenCalledTimes(1);
    const ended = writer.end();
    finish();
    await vi.advanceTimersByTimeAsync(1);
    expect(write.mock.calls[1]).toEqual([line('b')]);
    finish();
    await ended;
  });

  it('keeps a bounded number of lines while a write takes very long, and says what is missing', async () => {
    let finish = () => {};
    const { write, warn, writer } = recorder(() => new Promise<void>((resolve) => (finish = resolve)));
    for (let index = 0; index < 60_000; index += 1) writer.add(item(`image-${index}`));
    const ended = writer.end();
    for (let turn = 0; turn < 3; turn += 1) {
      finish();
      await vi.advanceTimersByTimeAsync(1);
    }
    await ended;
    expect(write).toHaveBeenCalledTimes(2);
    for (const [text] of write.mock.calls) expect(text.length).toBeLessThan(4 * 1024 * 1024);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]).toEqual([expect.stringMatching(/^timings of \d+ items not written: /)]);
  });

  it('goes on after a failed write', async () => {
    const { write, warn, writer } = recorder(() => Promise.reject(new Error('HTTP 503')));
    writer.add(item('a'));
    await vi.advanceTimersByTimeAsync(30_000);
    writer.add(item('b'));
    await writer.end();
    expect(write).toHaveBeenCalledTimes(2);
    expect(warn.mock.calls).toEqual([
      ['timings of 1 item not written: HTTP 503'],
      ['timings of 1 item not written: HTTP 503'],
    ]);
  });
});
