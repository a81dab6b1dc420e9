import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { appendFile, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { BlobServiceClient } from '@azure/storage-blob';
import { expect, test } from 'vitest';
import { createJobClient } from '../../../src/cli/client/client.js';
import { createPendingUploads } from '../../../src/cli/client/pending-uploads.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();
const BLOCK = 8 * 1024 * 1024;
/** Just more than goes up in one piece. */
const BYTES = 2.25 * BLOCK;

/** What a command does that is interrupted once so much is in storage. @returns what it told of its progress, and the path. */
async function upload(file: string, until = Infinity): Promise<{ sent: number[]; stored: string | undefined }> {
  const interrupt = new AbortController();
  const pending = createPendingUploads(stack.folder, stack.url);
  const ends = { lost: new AbortController().signal, interrupted: interrupt.signal };
  const client = createJobClient(stack.url, undefined, ends, pending);
  const sent: number[] = [];
  const onProgress = (bytes: number) => {
    sent.push(bytes);
    if (bytes >= until) interrupt.abort();
  };
  const stored = await client.upload('video', file, { onProgress }).catch(() => undefined);
  return { sent, stored };
}

const contentOf = async (stored: string) => {
  const [container = '', ...rest] = stored.split('/');
  const blobs = BlobServiceClient.fromConnectionString(stack.connectionString).getContainerClient(container);
  return blobs.getBlobClient(rest.join('/')).downloadToBuffer();
};

test('the upload of a large file goes on where it broke off, and begins anew for a file that has changed', async () => {
  const file = path.join(stack.folder, 'large.mp4');
  await writeFile(file, randomBytes(BYTES));
  const first = await upload(file, BLOCK);
  expect(first.stored).toBeUndefined();
  const second = await upload(file);
  expect(second.sent[0]).toBeGreaterThanOrEqual(BLOCK);
  expect(second.sent.at(-1)).toBe(BYTES);
  expect((await contentOf(second.stored ?? '')).equals(await buffer(createReadStream(file)))).toBe(true);
  // Nothing is sent twice of what is whole already.
  expect(await upload(file)).toEqual({ sent: [BYTES], stored: second.stored });
  await appendFile(file, 'more');
  await utimes(file, 0, 0);
  const changed = await upload(file);
  expect(changed.sent[0]).toBe(0);
  expect(changed.stored).not.toBe(second.stored);
  expect((await contentOf(changed.stored ?? '')).equals(await buffer(createReadStream(file)))).toBe(true);
});
