import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { TableClient } from '@azure/data-tables';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, expect, test } from 'vitest';
import { startAzurite } from '../../../dist/stack/azurite.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-azurite-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function start() {
  const { pid = 0, connectionString, ended, stop } = await startAzurite(folder, process.env);
  const kill = () => {
    process.kill(pid, 'SIGKILL');
    return ended;
  };
  const blobs = BlobServiceClient.fromConnectionString(connectionString).getContainerClient('kept');
  const rows = TableClient.fromConnectionString(connectionString, 'kept', { allowInsecureConnection: true });
  return { blobs, rows, kill, stop };
}

async function rowsOf(table: TableClient): Promise<string[]> {
  const found: string[] = [];
  for await (const { rowKey, text } of table.listEntities<{ text: string }>()) found.push(`${rowKey}: ${text}`);
  return found;
}

test('what storage said yes to is there after it was killed, again and again', async () => {
  const first = await start();
  await first.blobs.create();
  await first.rows.createTable();
  const text = (name: string) => first.blobs.getBlockBlobClient(name);
  await text('whole').upload('whole', 5);
  await text('replaced').upload('before', 6);
  await text('replaced').upload('after', 5, { metadata: { by: 'second' } });
  await text('gone').upload('gone', 4);
  await text('gone').delete();
  await text('blocks').stageBlock('MDAx', 'in ', 3);
  const rows = Array.from({ length: 100 }, (_, index) => ({
    partitionKey: 'p',
    rowKey: String(index).padStart(3, '0'),
    text: `first ${index}`,
  }));
  await first.rows.submitTransaction(rows.map((row) => ['create', row]));
  await first.rows.submitTransaction([
    ['update', { partitionKey: 'p', rowKey: '000', text: 'second' }, 'Replace'],
    ['delete', { partitionKey: 'p', rowKey: '099' }],
  ]);
  await first.kill();

  const second = await start();
  const blob = (name: string) => second.blobs.getBlockBlobClient(name);
  await blob('blocks').stageBlock('MDAy', 'two', 3);
  await second.kill();

  const third = await start();
  const kept = (name: string) => third.blobs.getBlockBlobClient(name);
  await kept('blocks').commitBlockList(['MDAx', 'MDAy']);
  const contents = await Promise.all(
    ['whole', 'replaced', 'blocks'].map(async (name) => (await kept(name).downloadToBuffer()).toString()),
  );
  expect(contents).toEqual(['whole', 'after', 'in two']);
  expect((await kept('replaced').getProperties()).metadata).toEqual({ by: 'second' });
  expect(await kept('gone').exists()).toBe(false);
  const found = await rowsOf(third.rows);
  expect(found.length).toBe(99);
  expect(found[0]).toBe('000: second');
  await third.stop();
});
