import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from '../../support/cli.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();

test('`logs` starts nothing: where no stack runs, it says what to do', async () => {
  const { code, stdout, stderr } = await runCli(['logs', 'coast-abcd2345', '--data', path.join(stack.folder, 'none')]);
  expect(stderr).toMatch(
    /^No local stack runs on .*none; start it with "npm start", or name a deployed app with --url\.\n$/,
  );
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});

test('`logs` says how to ask the stack that a `score` runs for the time of its job', async () => {
  const data = path.join(stack.folder, 'scoring');
  mkdirSync(data);
  symlinkSync(stack.data, path.join(data, 'job-77'));
  const { code, stderr } = await runCli(['logs', 'coast-abcd2345', '--data', data]);
  expect(stderr).toMatch(/^No local stack runs on .*, but "npm run score" runs .*; ask it with --data .*job-77\.\n$/);
  expect(code).toBe(2);
});

test.each([
  ['a job that is not there', ['none-abcd2345'], /^There is no job "none-abcd2345"\.\n$/],
  ['what is no id', ['../jobs'], /^There is no job "\.\.\/jobs"; an id looks like /],
])('`logs` refuses %s', async (_what, args, says) => {
  const { code, stderr } = await runCli(['logs', ...args, '--url', stack.url]);
  expect(stderr).toMatch(says);
  expect(code).toBe(2);
});

test('a job that failed before its first container has no logs, which is said together with the reason', async () => {
  const file = path.join(stack.folder, 'none.mp4');
  writeFileSync(file, 'no video');
  const video = await stack.client.upload('video', file);
  const id = await stack.client.start({ input: { video }, model: 'starry-night' });
  const { code, stdout, stderr } = await runCli(['logs', id, '--follow', '--url', stack.url]);
  expect(stderr).toMatch(/^No container of job none-\w+ has said anything; the job ended as failed: \S/);
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  const ask = async (query: string) => {
    const answer = await fetch(`${stack.url}/api/jobs/${id}/logs?${query}`);
    return { status: answer.status, ...((await answer.json()) as object) };
  };
  expect(await ask('')).toEqual({ status: 200, lines: [], more: false, next: null });
  expect(await ask('from=yesterday')).toEqual({
    status: 400,
    error: '"from" must be what the answer before gave as "next".',
  });
  expect(await ask('batch=0')).toEqual({
    status: 404,
    error: `Job "${id}" has ended before it ran a container for batch 0.`,
  });
  for (const query of ['batch=-1', 'batch=1.5', 'batch=99999999999999999999', 'attempt=0', 'attempt=x'])
    expect(await ask(query)).toMatchObject({
      status: 400,
      error: expect.stringMatching(/must be a whole number from/) as string,
    });
});
