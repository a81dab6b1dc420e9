import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { makeClip } from '../../support/clip.js';
import { historyOf, recordsOf, secretsIn, sizesOf } from '../../support/secrets.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();

describe('what a job leaves behind', () => {
  let id = '';
  let rows: Record<string, unknown>[] = [];

  beforeAll(async () => {
    const video = await stack.client.upload('video', makeClip(path.join(stack.folder, 'clip.mp4'), { seconds: 1 }));
    id = await stack.client.start({ input: { video }, model: 'starry-night', batch: { size: 4 } });
    expect(await stack.ended(id)).toMatchObject({ state: 'done' });
    rows = await historyOf(stack);
  });

  test('no secret in the history or status of any of its orchestrations', () => {
    expect(rows.length).toBeGreaterThan(50);
    expect(secretsIn(rows.map((row) => ['history', JSON.stringify(row)]))).toEqual([]);
  });

  test('no input, result or status of more than 4 KB, and no long history', () => {
    const { payload, events } = sizesOf(rows);
    expect(payload).toBeGreaterThan(100);
    expect(payload).toBeLessThanOrEqual(4096);
    expect(events).toBeGreaterThan(20);
    expect(events).toBeLessThanOrEqual(300);
  });

  test('no secret in a log, a task, a result or the manifest', async () => {
    const records = await recordsOf(stack, id);
    expect(records.map(([name]) => name)).toEqual(
      expect.arrayContaining(['job.json', 'manifest.json', 'logs/b00000-a1.jsonl', 'tasks/b00000-a1.json']),
    );
    const devhost = await readFile(path.join(stack.data, 'devhost.log'), 'utf8');
    expect(secretsIn([...records, ['devhost.log', devhost]])).toEqual([]);
  });

  test('no frame, unless it was asked for', async () => {
    expect(await stack.storage.getContainerClient(`work-${id}`).exists()).toBe(false);
  });
});
