import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createJobClient } from '../../../src/cli/client/client.js';
import { findStack } from '../../../src/stack/stack.js';
import { type CliResult, runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { processesWith } from '../../support/processes.js';
import { until } from '../../support/wait.js';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-endings-'));
const clip = makeClip(path.join(folder, 'clip.mp4'), { size: '96x54' });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const home = path.join(folder, 'home');
const data = path.join(home, 'data');

/** Starts `npm start`, or the program that it runs, in a session of its own, as a terminal does; all its processes know the folder as HOME. */
async function start(npm: boolean) {
  const args = ['start', '--data', data];
  const [program, ...rest] = npm
    ? ['npm', 'start', '--', ...args.slice(1)]
    : [process.execPath, 'dist/cli/packed/main.js', ...args];
  const command = spawn(program ?? '', rest, {
    cwd: ROOT,
    env: { ...process.env, HOME: home },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { url, pid } = await until('the stack', () => findStack(data));
  const others = () => processesWith(`HOME=${home}\0`).filter((each) => each !== command.pid);
  return { command, pid, client: createJobClient(url, undefined), url, others };
}

/** How many jobs the host of a stack knows. */
async function jobsOf(url: string): Promise<number> {
  const answer = await fetch(`${url}/runtime/webhooks/durabletask/instances`);
  return ((await answer.json()) as { name: string }[]).filter(({ name }) => name === 'scoreJob').length;
}

/** The ways in which a command ends; `pid` is the process that has the stack, which npm only starts. */
const endings: [string, boolean, (command: ChildProcess, pid: number) => void][] = [
  ['npm is told to end', true, (npm) => npm.kill('SIGTERM')],
  ['npm is killed', true, (npm) => npm.kill('SIGKILL')],
  ['the terminal closes', true, closeTerminal],
  ['the command is told to end', false, (_, pid) => process.kill(pid, 'SIGTERM')],
  ['the command is killed', false, (_, pid) => process.kill(pid, 'SIGKILL')],
];

function closeTerminal(command: ChildProcess): void {
  command.stdout?.destroy();
  command.stderr?.destroy();
  // A group 0 would be that of the tests themselves.
  if (command.pid === undefined) throw new Error('The command was not started.');
  process.kill(-command.pid, 'SIGHUP');
}

/** The stack that the last test has left for the next one. */
let left: Awaited<ReturnType<typeof start>> | undefined;
afterAll(async () => {
  left?.command.kill('SIGINT');
  if (left) await once(left.command, 'exit');
});

test.each(endings.map(([how, npm, end], index) => [how, npm, end, endings[index + 1]?.[1] ?? false] as const))(
  'when %s, nothing of the stack goes on, and the next one has what was accepted',
  async (_, npm, end, npmNext) => {
    const first = left ?? (await start(npm));
    left = undefined;
    const video = await first.client.upload('video', clip);
    const id = await first.client.start({ input: { video }, model: 'starry-night', retry: { firstDelaySeconds: 0 } });
    const before = await jobsOf(first.url);
    const score = npm ? undefined : runCli(['score', clip, '--data', data, '--out', `${data}.mp4`]);
    if (score) await until('the job of score', async () => (await jobsOf(first.url)) > before || undefined);
    end(first.command, first.pid);
    await until('the end of all processes', () => first.others().length === 0 || undefined);
    if (score)
      expect(await score).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^The local stack has ended, .+\n$/m) as string,
      });

    left = await start(npmNext);
    expect((await left.client.status(id)).state).toMatch(/^(queued|running|done)$/);
  },
);

describe('of stacks that are started on one folder at the same moment', () => {
  test('one runs, and the others say that it does', async () => {
    const contested = path.join(folder, 'contested');
    const commands = Array.from({ length: 3 }, () => runCli(['start', '--data', contested]));
    const early: CliResult[] = [];
    for (const command of commands) void command.then((result) => early.push(result));
    for (const { code, stderr } of await until('those that end at once', () =>
      early.length > 1 ? early : undefined,
    )) {
      expect(code).toBe(2);
      expect(stderr).toMatch(/^(The|Another) local stack .+process \d+.+\.\n$/);
    }
    const { pid } = await until('the stack', () => findStack(contested));
    process.kill(pid, 'SIGINT');
    const ended = await Promise.all(commands);
    expect(ended.filter(({ code }) => code === 0)).toHaveLength(1);
    expect(readFileSync(path.join(contested, 'devhost.log'), 'utf8')).not.toMatch(/error/i);
  });
});
