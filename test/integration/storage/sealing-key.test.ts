import { expect, inject, test } from 'vitest';
import { APP_SECRETS } from '../../../src/job-store/layout.js';
import { readSealingKey } from '../../../src/storage/sealing-key.js';
import { openAzurite } from '../../support/storage.js';

const connection = inject('storage');
const storage = openAzurite(connection);

test('the sealing key is made once, however many hosts ask for it at the same moment', async () => {
  await storage.internal.getContainerClient(APP_SECRETS).deleteIfExists();
  const keys = await Promise.all(Array.from({ length: 8 }, () => readSealingKey(storage)));
  expect(new Set(keys).size).toBe(1);
  expect(Buffer.from(keys[0] ?? '', 'base64')).toHaveLength(32);
  expect(await readSealingKey(storage)).toBe(keys[0]);
});
