import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { describeEnd, runChild, startAttached, startChild } from '../../../src/processes/child-process.js';
import { runningOn } from '../../support/processes.js';
import { until } from '../../support/wait.js';

const NODE = process.execPath;
const script = (code: string) => ['-e', code];

test('a program gets its arguments as they are, and nothing of the environment but what it is given', async () => {
  const code = 'console.log(JSON.stringify([process.argv.slice(1), Object.keys(process.env)]))';
  const { stdout, code: exit } = await runChild(NODE, [...script(code), '$HOME; "a b"'], { env: { GIVEN: 'x' } });
  expect(exit).toBe(0);
  expect(JSON.parse(stdout.toString())).toEqual([['$HOME; "a b"'], ['GIVEN']]);
});

test('the end of a program comes with its exit code and the last of its standard error', async () => {
  const code = 'process.stderr.write("x".repeat(100_000) + "last words", () => process.exit(3))';
  const ended = await runChild(NODE, script(code), { env: {} });
  expect(describeEnd(ended)).toBe('exit code 3');
  expect(ended.stderr).toMatch(/^x+last words$/);
  expect(ended.stderr.length).toBe(16_384);
});

test('a program that is not there says so instead of throwing', async () => {
  const { notStarted } = await runChild('/no/such/program', [], { env: {} });
  expect(notStarted?.message).toMatch(/ENOENT/);
});

test('a program that runs past its time limit is killed', async () => {
  const ended = await runChild(NODE, script('setInterval(() => {}, 1000)'), { env: {}, timeLimit: 0.5 });
  expect(ended.tooLong).toBe(true);
  expect(describeEnd(ended)).toBe('killed by SIGKILL');
});

test('an abort kills the program', async () => {
  const stop = new AbortController();
  const child = startChild(NODE, script('setInterval(() => {}, 1000)'), { env: {}, signal: stop.signal });
  stop.abort();
  expect(describeEnd(await child.ended)).toBe('killed by SIGKILL');
});

test('a program that closes its input early does not break its parent', async () => {
  const child = startChild(NODE, script('process.exit(4)'), { env: {} });
  child.stdin.write(Buffer.alloc(10_000_000));
  expect((await child.ended).code).toBe(4);
});

test('a program that ignores the request to end is killed when the grace period is over', async () => {
  const code = 'process.on("SIGTERM", () => {}); console.log("ready"); setInterval(() => {}, 1000)';
  const child = startChild(NODE, script(code), { env: {} });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  expect((await child.stop(0.2)).signal).toBe('SIGKILL');
});

test('an attached script ends when its parent is killed', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'attached-'));
  const endless = path.join(folder, 'endless.mjs');
  writeFileSync(endless, 'setInterval(() => {}, 1000)');
  const module = path.resolve(import.meta.dirname, '../../../dist/processes/child-process.js');
  const code = `import { startAttached } from '${module}'; await startAttached('${endless}', ['--attached'], { env: {} });`;
  const parent = startChild(NODE, ['--input-type=module', ...script(code)], { env: {} });
  const attached = () => runningOn(`${endless}\0--attached`);
  await until('the attached script', () => attached().length === 1 || undefined);
  parent.kill();
  await until('its end', () => attached().length === 0 || undefined);
  rmSync(folder, { recursive: true });
});

test('an attached script that cannot be started throws', async () => {
  await expect(startAttached('x', ['\0'], { env: {} })).rejects.toThrow(/null bytes/);
});
