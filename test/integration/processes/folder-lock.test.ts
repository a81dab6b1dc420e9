import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Child, startChild } from '../../../src/processes/child-process.js';
import { FolderInUse, holderOfFolder, lockFolder } from '../../../src/processes/folder-lock.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'folder-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const MODULE = path.resolve(import.meta.dirname, '../../../dist/processes/folder-lock.js');

/** A process that tries to take the folder at a given moment, and holds it until it is killed. */
function taker(at: number): Child {
  const code = `import { lockFolder } from '${MODULE}';
    while (Date.now() < ${at});
    await lockFolder('${folder}').then(() => console.log('has it'), (error) => console.log(error.message));
    setInterval(() => {}, 1000);`;
  return startChild(process.execPath, ['--input-type=module', '-e', code], { env: {} });
}

const said = (child: Child) =>
  new Promise<string>((resolve) => child.stdout.once('data', (text) => resolve(String(text).trim())));

const leave = (holder: object | null, name = 'lock-7') =>
  writeFileSync(path.join(folder, name), JSON.stringify(holder));

test('of processes that take a folder at the same moment one gets it, also when a dead one left it locked', async () => {
  leave({ host: os.hostname(), pid: process.pid, started: 'before the last boot' });
  const at = Date.now() + 1500;
  const takers = Array.from({ length: 4 }, () => taker(at));
  const answers = await Promise.all(takers.map(said));
  const winner = takers[answers.indexOf('has it')];
  expect(answers.filter((answer) => answer !== 'has it')).toEqual(
    Array(3).fill(`The folder ${folder} is in use by process ${winner?.pid}.`),
  );
  await expect(lockFolder(folder)).rejects.toThrow(FolderInUse);
  const waiting = lockFolder(folder, 10_000);
  for (const child of takers) child.kill();
  await (await waiting).release();
  await Promise.all(takers.map(({ ended }) => ended));
  expect(readdirSync(folder)).toHaveLength(1);
});

test('a folder is free again when it is released, and taken as long as it is not', async () => {
  const lock = await lockFolder(folder);
  expect(await holderOfFolder(folder)).toMatchObject({ pid: process.pid, host: os.hostname() });
  await expect(lockFolder(folder)).rejects.toThrow(`process ${process.pid}`);
  await lock.release();
  expect(await holderOfFolder(folder)).toBeUndefined();
  await (await lockFolder(folder)).release();
});

test('a lock that names nobody who lives holds nobody back', async () => {
  const left = [
    { host: os.hostname(), pid: 4_194_305, started: '' },
    { host: os.hostname(), pid: process.pid, started: 'another program with this number' },
    null,
  ];
  for (const holder of left) {
    leave(holder);
    await (await lockFolder(folder)).release();
    for (const name of readdirSync(folder)) rmSync(path.join(folder, name));
  }
  writeFileSync(path.join(folder, 'lock-3'), '{"cut sh');
  await (await lockFolder(folder)).release();
});

test('a process of another machine or container has the folder as long as it gives signs of life', async () => {
  leave({ host: 'elsewhere', pid: 1, started: '' });
  await expect(lockFolder(folder)).rejects.toThrow(/process 1 on elsewhere/);
  const before = Date.now() / 1000 - 30;
  utimesSync(path.join(folder, 'lock-7'), before, before);
  await (await lockFolder(folder)).release();
});

test('a folder that cannot be written says why', async () => {
  await expect(lockFolder(path.join(folder, 'missing'))).rejects.toThrow(/ENOENT/);
  await expect(lockFolder('/proc/self')).rejects.toThrow(/ENOENT|EACCES|EROFS|EPERM/);
});
