import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { HistoryEvent } from '../../src/engine/history-events.js';
import { HistoryConflict } from '../../src/store/history-table.js';
import { openTaskHub, type TaskHub } from '../../src/store/task-hub.js';
import { newHub } from '../support/host-process.js';

let hub: TaskHub;
beforeAll(async () => {
  hub = await openTaskHub(inject('storage'), newHub(), { patienceSeconds: 0, log: () => undefined });
});

const event = (Name: string): HistoryEvent => ({
  EventType: 'EventRaised',
  Name,
  Input: '1',
  EventId: -1,
  Timestamp: '2026-01-01T00:00:00.000Z',
});
const append = async (
  instanceId: string,
  etag: string | undefined,
  firstIndex: number,
  events: HistoryEvent[],
  consumed: string[] = [],
) => await hub.history.append({ instanceId, executionId: 'e', etag, firstIndex, events, consumed });
const names = async (id: string) =>
  (await hub.history.load(id)).events.map((each) => ('Name' in each ? each.Name : ''));

describe('the history table', () => {
  it('refuses the checkpoint of a writer who has missed another one, and writes nothing of it', async () => {
    const first = await append('lock', undefined, 0, [event('a')]);
    await append('lock', first, 1, [event('b')]);
    await expect(append('lock', first, 1, [event('late'), event('too late')])).rejects.toThrow(HistoryConflict);
    expect(await names('lock')).toEqual(['a', 'b']);
  });

  it('takes a parked message in and removes it in one step', async () => {
    const body = { EventType: 'EventRaised', Name: 'parked', Input: '1' } as const;
    const key = await hub.history.park('parked', body);
    expect((await hub.history.load('parked')).parked).toEqual([{ key, body, executionId: undefined }]);
    await append('parked', undefined, 0, [event('parked')], [key]);
    expect((await hub.history.load('parked')).parked).toEqual([]);
  });

  it('keeps ids with characters that keys must not have', async () => {
    const id = 'a/b#c?d\\e^f\u0007';
    await append(id, undefined, 0, [event('a')]);
    expect(await names(id)).toEqual(['a']);
  });

  it('cuts checkpoints of many long texts into batches that storage takes', async () => {
    const long = 'x'.repeat(30_000);
    const events = Array.from({ length: 120 }, (_, index) => ({ ...event(`${index}`), Input: long }));
    await append('long', undefined, 0, events);
    expect(await names('long')).toEqual(events.map((_, index) => String(index)));
  });
});
