import { randomUUID } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { readAppSecret } from '../../../src/storage/app-secret.js';
import { openAzurite } from '../../support/storage.js';

const container = openAzurite(inject('storage')).internal.getContainerClient(`secrets-${randomUUID()}`);

test('the sealing key is made once, however many hosts ask for it at the same moment', async () => {
  const keys = await Promise.all(Array.from({ length: 8 }, () => readAppSecret(container, 'sealing-key')));
  expect(new Set(keys).size).toBe(1);
  expect(Buffer.from(keys[0] ?? '', 'base64')).toHaveLength(32);
  expect(await readAppSecret(container, 'sealing-key')).toBe(keys[0]);
});
