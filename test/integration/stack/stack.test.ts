import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import getPort from 'get-port';
import { afterAll, describe, expect, test } from 'vitest';
import { type CliResult, runCli } from '../../support/cli.js';
import { createMedia } from '../../../src/media/media.js';
import { makeClip, tools } from '../../support/clip.js';
import { commandOf, killNow, processesWith } from '../../support/processes.js';
import { until } from '../../support/wait.js';
import { findStack } from '../../../src/stack/stack.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-cli-'));
const clip = makeClip(path.join(folder, 'clip.mp4'), { seconds: 1 });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Waits for a scorer of the command; fails at once, with what the command said, when the command ends before. */
async function scorerOf(name: string, scorer: string, command: Promise<CliResult>): Promise<void> {
  const tooEarly = command.then(({ stderr }): never => {
    throw new Error(`The command ended before it had a scorer: ${stderr}`);
  });
  const running = until('a scorer', () => processesWith(scorer).find((pid) => left(name).includes(pid)));
  await Promise.race([running, tooEarly]);
}

/** Marks all processes of a run through their environment. */
const mark = (name: string) => ({ HOME: path.join(folder, 'home', name) });
const left = (name: string) => processesWith(`HOME=${path.join(folder, 'home', name)}`);

describe.concurrent('npm start', () => {
  test('brings up the stack, lets score use it, and stops everything on Ctrl-C', async () => {
    const data = path.join(folder, 'start');
    let interrupt: (signal: NodeJS.Signals) => void = () => undefined;
    const ended = runCli(['start', '--data', data], { env: mark('start'), onSpawn: (kill) => (interrupt = kill) });
    const stack = await until('the stack', () => findStack(data));
    const lossless = ['--codec', 'ffv1', '--frame-format', 'jpg', '--on-damage', 'keep'];
    const scored = await runCli(
      ['score', clip, '--data', data, '--out', 'painted.mkv', ...lossless, '--json', '--max-parallel', '1'],
      { cwd: folder },
    );
    expect(scored.code).toBe(0);
    expect(scored.stderr).toBe('');
    const summary = JSON.parse(scored.stdout) as Record<string, unknown>;
    expect(summary).toMatchObject({
      output: path.join(folder, 'painted.mkv'),
      contactSheet: null,
      frames: 12,
      failedFrames: 0,
      warnings: [],
    });
    expect(Object.keys(summary.seconds as object)).toEqual([
      'start',
      'upload',
      'prepare',
      'split',
      'score',
      'stitch',
      'finish',
      'download',
    ]);
    expect(await createMedia(tools).probe(path.join(folder, 'painted.mkv'))).toMatchObject({
      codec: 'ffv1',
      container: 'matroska,webm',
    });
    const second = await runCli(['start', '--data', data], { env: mark('start') });
    expect(second.code).toBe(2);
    expect(second.stderr).toMatch(
      new RegExp(`^The local stack runs already at ${stack.url} \\(process ${stack.pid}\\); .+\\.\n$`),
    );
    expect(await findStack(data)).toEqual(stack);

    interrupt('SIGINT');
    const { code, stdout } = await ended;
    expect(code).toBe(0);
    expect(stdout).toContain(`The app listens on ${stack.url}`);
    expect(left('start')).toEqual([]);
    expect(await findStack(data)).toBeUndefined();
  });

  test('takes the free ports that it is asked to, for a folder that is not there yet', async () => {
    const data = path.join(folder, 'ports');
    const [app, blobs] = [await getPort({ host: '127.0.0.1' }), await getPort({ host: '127.0.0.1' })];
    let interrupt: (signal: NodeJS.Signals) => void = () => undefined;
    const ports = ['--port', String(app), '--azurite-port', String(blobs)];
    const ended = runCli(['start', ...ports, '--data', data], { onSpawn: (kill) => (interrupt = kill) });
    const running = until('the stack', () => findStack(data));
    await Promise.race([running, ended]);
    interrupt('SIGINT');
    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`The app listens on http://localhost:${app};`);
    expect(stdout).toContain(`http://127.0.0.1:${blobs}/`);
  });

  test('leaves nothing running when it cannot say where it is', async () => {
    const data = path.join(folder, 'unsaid');
    mkdirSync(path.join(data, 'stack.json'), { recursive: true });
    const { code, stderr } = await runCli(['start', '--data', data], { env: mark('unsaid') });
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^The folder \S+unsaid .* cannot be written .*--data\.\n$/),
    ]);
    expect(left('unsaid')).toEqual([]);
  });
});

describe.concurrent('npm run score, with a stack of its own,', () => {
  /** Sends a signal to a command while its scorer runs, and returns how the command ended. */
  async function strike(name: string, signal: NodeJS.Signals) {
    let kill: (signal: NodeJS.Signals) => void = () => undefined;
    const ended = runCli(['score', clip, '--data', path.join(folder, name), '--out', `${name}.mp4`], {
      cwd: folder,
      env: mark(name),
      onSpawn: (send) => (kill = send),
    });
    await scorerOf(name, 'TASK_BLOB=', ended);
    kill(signal);
    return ended;
  }

  test('stops everything it started and leaves no file when it is interrupted', async () => {
    const { code, stderr } = await strike('interrupted', 'SIGINT');
    expect(stderr.trim().split('\n').at(-1)).toBe('The job was cancelled.');
    expect(code).toBe(130);
    expect(left('interrupted')).toEqual([]);
    expect(readdirSync(path.join(folder, 'interrupted'))).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.startsWith('interrupted.'))).toEqual([]);
  });

  test('takes everything it started with it when it is killed', async () => {
    await strike('killed', 'SIGKILL');
    await until('the end of its children', () => (left('killed').length === 0 ? true : undefined));
  });

  test.each([
    ['The Azure emulator', 'container-apps-emulated', 'stack/azure-emulator/main', 'SCORER_LAUNCH='],
    ['The local Functions host', 'local', 'stack/devhost/main', 'TASK_BLOB='],
  ])('gives the job up when %s ends, and leaves nothing running', async (title, compute, program, scorer) => {
    const data = path.join(folder, title);
    const ended = runCli(['score', clip, '--data', data, '--out', `lost-${compute}.mp4`, '--compute', compute], {
      cwd: folder,
      env: mark(title),
    });
    await scorerOf(title, scorer, ended);
    const [part] = left(title).filter((pid) => commandOf(pid).includes(program));
    expect(killNow(part)).toBe(true);
    const { code, stderr } = await ended;
    expect(stderr.trim().split('\n').at(-1)).toMatch(
      new RegExp(
        `^${title} ended unexpectedly \\(killed by SIGKILL; its log is .+\\.log\\), so the job was given up\\. Nothing of it is kept; run the command again\\.$`,
      ),
    );
    expect(code).toBe(1);
    await until('the end of its containers', () => (left(title).length === 0 ? true : undefined));
    const [kept = ''] = readdirSync(data);
    expect(readdirSync(path.join(data, kept)).filter((name) => !name.endsWith('.log'))).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.startsWith(`lost-${compute}`))).toEqual([]);
  });

  test('says in one sentence that the disk for temporary files is full', async ({ skip }) => {
    const small = path.join(folder, 'small');
    const data = path.join(folder, 'full');
    spawnSync('mkdir', [small]);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]);
    if (mounted.status !== 0) skip('A small disk can only be mounted by root.');
    try {
      const { code, stderr } = await runCli(['score', clip, '--data', data, '--out', 'full.mp4'], {
        cwd: folder,
        env: { TEMP_FOLDER: small },
      });
      expect(stderr.trim().split('\n').at(-1)).toMatch(
        /^The disk of the temporary folder .*small.* is full; free some space or set TEMP_FOLDER to a folder on a larger disk\.$/,
      );
      expect(code).toBe(2);
    } finally {
      spawnSync('umount', [small]);
    }
  });
});
