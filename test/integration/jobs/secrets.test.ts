import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { TableClient } from '@azure/data-tables';
import { beforeAll, describe, expect, test } from 'vitest';
import { jobContainer } from '../../../src/job-store/layout.js';
import { makeClip } from '../../support/clip.js';
import { useStack } from '../../support/stack.js';

const SECRET = /sig=|AccountKey=|Eby8vdM02x/;
const stack = useStack();

describe('what a job leaves behind', () => {
  let id = '';
  const rows: Record<string, unknown>[] = [];

  beforeAll(async () => {
    const video = await stack.client.upload('video', makeClip(path.join(stack.folder, 'clip.mp4'), { seconds: 1 }));
    id = await stack.client.start({ input: { video }, model: 'starry-night', batch: { size: 4 } });
    expect(await stack.ended(id)).toMatchObject({ state: 'done' });
    for (const table of ['BatchScoringHistory', 'BatchScoringInstances']) {
      const client = TableClient.fromConnectionString(stack.connectionString, table, { allowInsecureConnection: true });
      for await (const row of client.listEntities()) rows.push(row);
    }
  });

  test('no secret in the history or status of any of its orchestrations', () => {
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.filter((row) => SECRET.test(JSON.stringify(row)))).toEqual([]);
  });

  test('no input or result of 4 KB or more in the history', () => {
    const lengths = rows.flatMap(({ Input, Result }) =>
      [Input, Result].map((text) => (typeof text === 'string' ? text.length : 0)),
    );
    expect(Math.max(...lengths)).toBeGreaterThan(100);
    expect(Math.max(...lengths)).toBeLessThan(4096);
  });

  test('no secret in a log, a task, a result or the manifest', async () => {
    const container = stack.storage.getContainerClient(jobContainer(id));
    const names: string[] = [];
    for await (const { name } of container.listBlobsFlat()) names.push(name);
    expect(names).toEqual(
      expect.arrayContaining(['job.json', 'manifest.json', 'logs/b00000-a1.jsonl', 'tasks/b00000-a1.json']),
    );
    for (const name of names) {
      const text = (await container.getBlobClient(name).downloadToBuffer()).toString('latin1');
      expect(SECRET.test(text), name).toBe(false);
    }
    expect(SECRET.test(await readFile(path.join(stack.data, 'devhost.log'), 'utf8'))).toBe(false);
  });

  test('no frame, unless it was asked for', async () => {
    expect(await stack.storage.getContainerClient(`work-${id}`).exists()).toBe(false);
  });
});
