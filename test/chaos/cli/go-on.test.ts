import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createJobClient } from '../../../src/cli/client/client.js';
import { runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { until } from '../../support/wait.js';

const MAIN = path.resolve('dist/cli/packed/main.js');
const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-go-on-'));
const data = path.join(folder, 'data');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FRAMES = 24;
let clip = '';
beforeAll(() => {
  clip = makeClip(path.join(folder, 'clip.mp4'), { size: '320x180', rate: String(FRAMES), sound: false });
});

const score = (out: string) => ['score', clip, '--data', data, '--max-parallel', '1', '--out', path.join(folder, out)];
const sum = (file: string) =>
  createHash('md5')
    .update(readFileSync(path.join(folder, file)))
    .digest('hex');

/** Whether the app that a command runs has stored anything that its job has scored. */
async function hasScored(said: string): Promise<boolean> {
  const job = /^job: (\S+)/m.exec(said)?.[1];
  if (job === undefined) return false;
  const [own = ''] = readdirSync(data).filter((name) => name.startsWith('job-'));
  const { url } = JSON.parse(readFileSync(path.join(data, own, 'stack.json'), 'utf8')) as { url: string };
  const { stage, items } = await createJobClient(url, undefined).status(job);
  return stage === 'score' && items.done > 0;
}

/** Sends a signal to a command at a moment that what it has said tells, and returns all that it said. */
async function strike(args: string[], signal: NodeJS.Signals, isTime: (said: string) => boolean | Promise<boolean>) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const closed = once(child, 'close');
  await until('the moment', async () => ((await isTime(said)) ? true : undefined), 50);
  child.kill(signal);
  await closed;
  return said;
}

test(
  'a command that was interrupted or killed is gone on with, by its job or by the same command, to the same video',
  { timeout: 400_000 },
  async () => {
    const said = await strike(score('video.mp4'), 'SIGINT', hasScored);
    const job = /^job: (\S+)/m.exec(said)?.[1] ?? '';
    expect(said).toMatch(`go on with: npm run score -- --redrive ${job}`);

    const redrive = ['score', '--redrive', job, '--data', data, '--tolerate', '2%'];
    const elsewhere = await runCli([...redrive, '--compute', 'aci']);
    expect([elsewhere.code, elsewhere.stderr]).toEqual([
      2,
      expect.stringMatching(/not set up.* What is scored is kept/),
    ]);

    const again = await strike([...redrive, '--compute', 'local'], 'SIGKILL', (text) => /begins/.test(text));
    expect(again).toMatch(`Run 3 of job ${job} begins`);

    const { code, stderr } = await runCli([...score('video.mp4'), '--json']);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(`Job ${job} of the same request`);
    expect(readdirSync(data)).toEqual([]);

    const fresh = await runCli([...score('undisturbed.mp4'), '--json']);
    expect([fresh.code, fresh.stderr]).toEqual([0, '']);
    expect(sum('video.mp4')).toBe(sum('undisturbed.mp4'));
  },
);

test('what has nothing to go on with is refused', async () => {
  const refused = async (...args: string[]) => {
    const { code, stderr } = await runCli(args);
    return `${code} ${stderr}`;
  };
  expect(await refused(...score('none.mp4'), '--resume')).toMatch(/^2 .*leave --resume out/);
  expect(await refused('score', '--redrive', 'coast-k3v9q2xa', '--data', data)).toMatch(/^2 No local stack runs/);
  expect(await refused('score', '--redrive', 'coast-k3v9q2xa', '--fresh')).toMatch(/^2 .*leave --fresh out/);
  expect(await refused('score')).toMatch(/^2 Name a video/);
});
