import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { jobFolder, removeJobFolder } from '../../../src/job-store/local-copy.js';

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
