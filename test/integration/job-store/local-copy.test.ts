import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, inject, test } from 'vitest';
import { bareEtag } from '../../../src/job/inbox/media-event.js';
import { inboxOf } from '../../../src/job-store/layout.js';
import { jobFolder, localVideo, removeJobFolder } from '../../../src/job-store/local-copy.js';
import { openAzurite } from '../../support/storage.js';

const storage = openAzurite(inject('storage'));
const copies = mkdtempSync(path.join(os.tmpdir(), 'scoring-copy-'));
afterAll(() => rmSync(copies, { recursive: true, force: true }));

/** Writes the blob once more. @returns its version. */
async function upload(name: string, content: string): Promise<string> {
  await inboxOf(storage).createIfNotExists();
  const { etag = '' } = await inboxOf(storage).getBlockBlobClient(name).upload(content, Buffer.byteLength(content));
  return bareEtag(etag);
}

test('a job that a video has started reads that version of it, or none', async () => {
  const name = `t-${randomBytes(4).toString('hex')}/coast.mp4`;
  const read = (job: string, etag?: string) =>
    localVideo(storage, path.join(copies, job), `inbox/${name}`, undefined, etag).then((file) =>
      readFileSync(file, 'utf8'),
    );
  const first = await upload(name, 'first');
  expect(await read('early', first)).toBe('first');
  const second = await upload(name, 'other');
  await expect(read('late', first)).rejects.toMatchObject({
    blame: 'user',
    message: `inbox/${name} was replaced before its job had read it.`,
  });
  expect(await read('early', first)).toBe('first');
  expect(await read('next', second)).toBe('other');
  expect(await read('any')).toBe('other');
});

test('the temporary folder of a job goes although a failed activity is still writing there for a while', async () => {
  const temp = mkdtempSync(path.join(os.tmpdir(), 'scoring-test-'));
  const folder = jobFolder(temp, 'coast-k3v9q2xa');
  let files = 0;
  const write = () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, `${(files += 1)}`), 'x');
  };
  for (let count = 0; count < 500; count += 1) write();
  const writing = setInterval(write);
  const removed = removeJobFolder(temp, 'coast-k3v9q2xa');
  setTimeout(() => clearInterval(writing), 50);
  await expect(removed).resolves.toBeUndefined();
  clearInterval(writing);
  await removeJobFolder(temp, 'coast-k3v9q2xa');
  expect(existsSync(folder)).toBe(false);
});
