import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BlobSASPermissions } from '@azure/storage-blob';
import { beforeAll, expect, test } from 'vitest';
import { downloadFile, saveBytes } from '../../../src/cli/client/files.js';
import { splitPath } from '../../../src/job-store/layout.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();
const { signal: abortSignal } = new AbortController();
const file = (name: string) => path.join(stack.folder, name);
let url = '';

beforeAll(async () => {
  const stored = await stack.client.upload('style', writeText('result.txt', 'result'));
  const { container, blob } = splitPath(stored);
  url = await stack.storage
    .getContainerClient(container)
    .getBlobClient(blob)
    .generateSasUrl({
      permissions: BlobSASPermissions.parse('r'),
      expiresOn: new Date(Date.now() + 600_000),
    });
});

function writeText(name: string, text: string): string {
  writeFileSync(file(name), text);
  return file(name);
}

const textOf = (name: string) => readFileSync(file(name), 'utf8');

test('a file that came while the job ran is kept, and the result goes beside it', async () => {
  const target = writeText('taken.txt', 'precious');
  const saving = downloadFile(url, target, { overwrite: false, abortSignal });
  await expect(saving).rejects.toThrow(
    /taken\.txt was written by another program meanwhile, so the result is in .+taken-/,
  );
  expect(textOf('taken.txt')).toBe('precious');
  const beside = readdirSync(stack.folder).find((name) => name.startsWith('taken-')) ?? '';
  expect(textOf(beside)).toBe('result');
  await downloadFile(url, target, { overwrite: true, abortSignal });
  expect(textOf('taken.txt')).toBe('result');
});

test('a file that an interrupted command has saved already is the result, not another one', async () => {
  const target = writeText('saved.txt', 'result');
  await downloadFile(url, target, { overwrite: false, abortSignal });
  expect(textOf('saved.txt')).toBe('result');
  expect(readdirSync(stack.folder).filter((name) => /^(?:saved|\.part)/.test(name))).toEqual(['saved.txt']);
});

test('a file of as many bytes that are others is kept', async () => {
  const target = writeText('alike.txt', 'tluser');
  await expect(downloadFile(url, target, { overwrite: false, abortSignal })).rejects.toThrow(/by another program/);
  expect(textOf('alike.txt')).toBe('tluser');
});

test('of two commands that save the same file at the same moment, one saves it beside', async () => {
  const texts = ['one', 'other'];
  const both = texts.map((text) => saveBytes(Buffer.from(text), file('both.txt'), false));
  const ended = await Promise.allSettled(both);
  expect(ended.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  const saved = readdirSync(stack.folder).filter((name) => name.startsWith('both'));
  expect(saved.map(textOf).toSorted()).toEqual(texts);
  expect(readdirSync(stack.folder, { recursive: true }).filter((name) => String(name).includes('.part'))).toEqual([]);
});

test('an empty file is no loss', async () => {
  const target = writeText('empty.txt', '');
  await downloadFile(url, target, { overwrite: false, abortSignal });
  expect(textOf('empty.txt')).toBe('result');
});
