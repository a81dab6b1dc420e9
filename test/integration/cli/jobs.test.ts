import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { JobStatus } from '../../../src/api/jobs.js';
import { noteUnfinished } from '../../../src/cli/client/unfinished.js';
import { SCORES } from '../../../src/stack/stack.js';
import { runCli } from '../../support/cli.js';
import type { Plan } from '../../../src/api/plan.js';
import { makeClip, tools } from '../../support/clip.js';
import { useStack } from '../../support/stack.js';
import { until } from '../../support/wait.js';

const stack = useStack();
const cli = (...args: string[]) => runCli(args, { cwd: stack.folder });
const ask = (...args: string[]) => cli(...args, '--url', stack.url);
const jobs = { done: '', failed: '' };

beforeAll(async () => {
  const clip = makeClip(path.join(stack.folder, 'clip.mp4'), { size: '64x48' });
  const broken = path.join(stack.folder, 'broken.mp4');
  writeFileSync(broken, 'no video');
  const start = async (file: string) =>
    stack.client.start({ input: { video: await stack.client.upload('video', file) }, model: 'starry-night' });
  [jobs.done, jobs.failed] = await Promise.all([start(clip), start(broken)]);
});

test('`watch` follows a job to its end, as lines of JSON for a program, and ends as the job does', async () => {
  const [done, failed] = await Promise.all([ask('watch', jobs.done, '--json'), ask('watch', jobs.failed, '--json')]);
  const states = done.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as JobStatus).state);
  expect(states.at(-1)).toBe('done');
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(failed.code).toBe(2);
  expect(JSON.parse(failed.stderr)).toEqual({ error: expect.stringContaining('not a video') as string, exitCode: 2 });
});

test('`jobs` lists them, of a state or all, without addresses that open anything', async () => {
  const { code, stdout } = await ask('jobs', '--state', 'failed', '--json');
  const list = JSON.parse(stdout) as { jobs: { id: string; state: string }[]; next: string | null };
  expect(list.jobs.map(({ id }) => id)).toContain(jobs.failed);
  expect(new Set(list.jobs.map(({ state }) => state))).toEqual(new Set(['failed']));
  expect(stdout).not.toContain('sig=');
  expect(code).toBe(0);
});

test('`status` tells of a job in words or as the app does', async () => {
  const [words, json] = await Promise.all([ask('status', jobs.done), ask('status', jobs.done, '--json')]);
  expect(words.stdout).toMatch(new RegExp(`^Job: +${jobs.done}: done\nItems: +24 of 24 done\n`));
  expect(JSON.parse(json.stdout)).toMatchObject({ id: jobs.done, state: 'done', retries: 0 });
});

test('`cancel` and `redrive` say of a job that has ended that there is nothing to do', async () => {
  const [cancelled, redriven] = await Promise.all([
    ask('cancel', jobs.done, 'none-abcd2345', '--json'),
    ask('redrive', jobs.done, '--watch'),
  ]);
  expect(cancelled.code).toBe(2);
  expect(JSON.parse(cancelled.stdout)).toEqual({
    jobs: [
      { id: jobs.done, error: `Job "${jobs.done}" has ended already.` },
      { id: 'none-abcd2345', error: 'There is no job "none-abcd2345".' },
    ],
  });
  expect(redriven.code).toBe(0);
  expect(redriven.stderr).toContain(`Job ${jobs.done} is done, so there is nothing to do.`);
  expect(redriven.stdout).toContain(`${jobs.done}: done`);
});

test('a file that was uploaded is called as its user calls it, wherever a job is told of', async () => {
  const told = await Promise.all(['status', 'watch'].map((command) => ask(command, jobs.failed)));
  const listed = await ask('jobs', '--state', 'failed', '--limit', '100');
  for (const { stdout, stderr } of [...told, listed]) {
    expect(stdout + stderr).toMatch(/(?<![\w/])broken\.mp4 is not a video/);
    expect(stdout + stderr).not.toContain('_uploads');
  }
});

test('`open` and `logs` say of a batch that is not there that it is not', async () => {
  const there = await ask('open', jobs.done, '0', '--print');
  expect(there).toMatchObject({ code: 0, stdout: `${stack.url}/api/#/jobs/${jobs.done}/batches/0\n` });
  const batches = (await stack.client.status(jobs.done)).batches.total;
  for (const batch of [batches, 99]) {
    expect(await ask('open', jobs.done, String(batch), '--print')).toEqual({
      code: 2,
      stdout: '',
      stderr: `Job ${jobs.done} has ${batches === 1 ? '1 batch' : `${batches} batches`}, counted from 0, so there is no batch ${batch}.\n`,
    });
    const logs = await ask('logs', jobs.done, '--batch', String(batch));
    expect(logs).toMatchObject({ code: 2, stdout: '' });
    expect(logs.stderr).toMatch(new RegExp(`no batch ${batch}`));
  }
  const none = await ask('open', jobs.failed, '0', '--print');
  expect(none).toMatchObject({ code: 2, stdout: '' });
  expect(none.stderr).toBe(`Job ${jobs.failed} ended as failed before it had batches; leave the batch out.\n`);
});

test('`score --redrive latest` goes on with what a command on this machine has left last', async () => {
  const data = path.join(stack.folder, 'left');
  const own = path.join(data, 'job-77');
  mkdirSync(own, { recursive: true });
  for (const name of readdirSync(stack.data).filter((each) => each !== SCORES))
    symlinkSync(path.join(stack.data, name), path.join(own, name));
  await stack.ended(jobs.done);
  const out = path.join(stack.folder, 'left.mp4');
  const options = { video: 'clip.mp4', base: 'left', model: 'starry-night', out };
  const left = { request: '', options, pid: 0, started: '' };
  await noteUnfinished(own, { ...left, job: 'older-abcd2345', startedAt: '2026-01-01T00:00:00Z' });
  await noteUnfinished(own, { ...left, job: jobs.done, startedAt: '2026-01-02T00:00:00Z' });
  const { code, stdout, stderr } = await cli('score', '--redrive', 'latest', '--data', data, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ job: jobs.done, output: out });
  const nothing = await cli('score', '--redrive', 'latest', '--data', path.join(stack.folder, 'none'));
  expect(nothing).toMatchObject({ code: 2, stderr: expect.stringMatching(/^No local stack runs on /) as string });
});

describe('`plan`', () => {
  /** All that is in the storage of the media and of the models that uploads have added. */
  const uploads = async () => {
    const found: string[] = [];
    for (const container of ['inbox', 'models'])
      for await (const { name } of stack.storage.getContainerClient(container).listBlobsFlat())
        if (/planned|shots/.test(name)) found.push(name);
    return found;
  };
  const planned = async (...args: string[]) => {
    const { code, stdout, stderr } = await ask('plan', ...args, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout) as Plan;
  };

  test('tells what a job would take, of a large video and of a folder by what is counted here, and leaves nothing', async () => {
    const large = path.join(stack.folder, 'planned.avi');
    execFileSync(
      tools.ffmpeg,
      `-v error -f lavfi -i testsrc=size=160x120:rate=20:duration=30 -c:v rawvideo -pix_fmt yuv420p`
        .split(' ')
        .concat(large),
    );
    const shots = path.join(stack.folder, 'shots');
    mkdirSync(shots);
    execFileSync(tools.ffmpeg, [
      '-v',
      'error',
      '-i',
      path.join(stack.folder, 'clip.mp4'),
      '-frames:v',
      '9',
      `${shots}/%d.png`,
    ]);
    const model = path.join(stack.folder, 'planned.onnx');
    copyFileSync('models/starry-night.onnx', model);
    const [video, images] = await Promise.all([
      planned('planned.avi', '--max-parallel', '2'),
      planned('shots', '--model', model, '--out', 'new'),
    ]);
    expect(video).toMatchObject({ items: 600, parallel: 2, cost: { high: 0 } });
    expect(video.basis).toContain('the app was given its beginning');
    expect(images).toMatchObject({ items: 9, warnings: [] });
    expect(images.basis).toMatch(/^A trial of the model .* counted on this machine/);
    expect(images.seconds?.low).toBeGreaterThan(0);
    expect(await uploads()).toEqual([]);
    expect(readdirSync(stack.folder).filter((name) => /^(new|shots-|planned)/.test(name))).toEqual([
      'planned.avi',
      'planned.onnx',
    ]);
  });

  test('refuses what `score` refuses, in the same words, and leaves nothing', async () => {
    const args = ['broken.mp4', '--model', 'planned.onnx'];
    const [plan, score] = await Promise.all([ask('plan', ...args), ask('score', ...args)]);
    expect(plan.code).toBe(2);
    expect(score.stderr.trim().split('\n').at(-1)).toBe(plan.stderr.trim());
    // The job that failed has its model still.
    expect(await uploads()).toEqual([expect.stringMatching(/^planned-.+\.onnx$/)]);
  });
});

describe('`open`', () => {
  test('hands the address of a batch to the program that opens pages, as one argument', async () => {
    const bin = path.join(stack.folder, 'bin');
    mkdirSync(bin);
    const opened = path.join(stack.folder, 'opened');
    writeFileSync(
      path.join(bin, 'xdg-open'),
      `#!/bin/sh\nprintf '%s' "$#:$1" > '${opened}.part'; mv '${opened}.part' '${opened}'\n`,
    );
    chmodSync(path.join(bin, 'xdg-open'), 0o755);
    const env = { PATH: `${bin}:${process.env.PATH}` };
    const { code, stdout } = await runCli(['open', jobs.done, '0', '--url', stack.url], { env });
    const url = `${stack.url}/api/#/jobs/${jobs.done}/batches/0`;
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${url}\n` });
    await until('the page to be opened', () => Promise.resolve(existsSync(opened) || undefined));
    expect(readFileSync(opened, 'utf8')).toBe(`1:${url}`);
  });

  test('prints the address where nothing opens it', async () => {
    const { code, stdout, stderr } = await runCli(['open', '--url', stack.url], { env: { PATH: stack.folder } });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${stack.url}/api/\n` });
    expect(stderr).toMatch(/open the address in a browser yourself/);
  });
});

test.each([['watch'], ['cancel'], ['open']])(
  '`%s` refuses what no job can be called, and starts nothing where no stack runs',
  async (name) => {
    const [bad, none] = await Promise.all([
      ask(name, '../jobs'),
      cli(name, 'coast-abcd2345', '--data', path.join(stack.folder, 'none')),
    ]);
    expect(bad.stderr).toMatch(/^There is no job "\.\.\/jobs"; an id looks like /);
    expect(none.stderr).toMatch(/^No local stack runs on /);
    expect([bad.code, none.code]).toEqual([2, 2]);
  },
);

test('with --json what is wrong is JSON, too', async () => {
  const { code, stdout, stderr } = await cli('jobs', '--key', 'x', '--json');
  expect(JSON.parse(stderr)).toEqual({
    error: '--key is for a deployed app; name the app with --url, or leave --key out.',
    exitCode: 2,
  });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});
