import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { bareEtag } from '../../../src/job/inbox/media-event.js';
import { INBOX } from '../../../src/job-store/layout.js';
import { runCli } from '../../support/cli.js';
import { base64, cloudEvent, inboxOf, newFolder } from '../../support/inbox.js';
import { useStack } from '../../support/stack.js';
import { until } from '../../support/wait.js';

const stack = useStack();
const inbox = inboxOf(stack);

/** Drops a folder with this trigger file, and tells of it once it is there, as Event Grid does. */
async function drop(ready: string) {
  const folder = newFolder();
  const files = path.join(stack.folder, folder);
  mkdirSync(files);
  writeFileSync(path.join(files, 'notes.txt'), 'no picture');
  writeFileSync(path.join(files, '_READY'), ready);
  const running = runCli(['drop', files, '--folder', folder, '--data', stack.data]);
  const blob = stack.storage.getContainerClient(INBOX).getBlobClient(`${folder}/_READY`);
  const { etag = '' } = await until('the upload', async () =>
    (await blob.exists()) ? await blob.getProperties() : undefined,
  );
  const { accountName: account } = stack.storage;
  await inbox.send(base64(cloudEvent({ account, container: INBOX, name: `${folder}/_READY`, etag: bareEtag(etag) })));
  return { folder, ...(await running) };
}

test.concurrent('what is dropped starts a job, which is followed to its end', async () => {
  const { folder, code, stdout, stderr } = await drop('{"model":"starry-night"}');
  expect(stdout).toContain(`2 files uploaded to inbox/${folder}`);
  expect(stderr).toMatch(new RegExp(`job: ${folder}-[0-9a-f]{16}`));
  expect(stderr).toMatch(/There is no JPEG.+ below inbox\//);
  expect(code).toBe(2);
});

test.concurrent('what of a folder is not uploaded is said, and a link to a file is', async () => {
  const folder = newFolder();
  const files = path.join(stack.folder, folder);
  mkdirSync(path.join(files, 'below'), { recursive: true });
  for (const name of ['notes.txt', '.hidden.txt', 'below/a.txt']) writeFileSync(path.join(files, name), 'text');
  symlinkSync('notes.txt', path.join(files, 'linked.txt'));
  const { code, stdout, stderr } = await runCli(['drop', files, '--folder', folder, '--data', stack.data]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain(`2 files uploaded to inbox/${folder}`);
  expect(stdout).toMatch(/^1 folder is left out \(below\/\): drop it on its own, with --folder\.$/m);
  expect(stdout).toMatch(/^1 hidden file is left out \(\.hidden\.txt\): name it to upload it\.$/m);
  const uploaded: string[] = [];
  const blobs = stack.storage.getContainerClient(INBOX).listBlobsFlat({ prefix: `${folder}/` });
  for await (const { name } of blobs) uploaded.push(path.basename(name));
  expect(uploaded).toEqual(['linked.txt', 'notes.txt']);
});

test.concurrent('a folder whose files are all hidden is refused with that', async () => {
  const files = path.join(stack.folder, newFolder());
  mkdirSync(files);
  writeFileSync(path.join(files, '.hidden.mp4'), 'video');
  const { code, stderr } = await runCli(['drop', files, '--data', stack.data]);
  expect(stderr).toMatch(/^There is no file in what was named, but 1 hidden file \(name it to upload it\); /);
  expect(code).toBe(2);
});

test.concurrent('what starts no job says why', async () => {
  const { folder, code, stderr } = await drop('{"model":"nobody"}');
  expect(stderr).toMatch(new RegExp(`^inbox/${folder}/_READY starts no job: There is no model "nobody"`, 'm'));
  expect(code).toBe(2);
});

test.concurrent(
  'a name that nothing in the inbox can have is refused in one sentence, before anything is uploaded',
  async () => {
    const file = path.join(stack.folder, 'sale 100%.mp4');
    writeFileSync(file, 'no video');
    const { code, stdout, stderr } = await runCli(['drop', file, '--data', stack.data]);
    expect(stderr).toMatch(/^No file in the inbox can be called "sale 100%\.mp4"; name a copy without %, .*\.\n$/);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  },
);
