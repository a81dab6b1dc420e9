import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JobStatus } from '../../../src/api/jobs.js';
import { createJobClient, type JobClient } from '../../../src/cli/client/client.js';
import { findStack } from '../../../src/stack/stack.js';
import { makeClip } from '../../support/clip.js';
import { pick, randomOf } from '../../support/chaos/faults.js';
import { commandOf, processesWith } from '../../support/processes.js';
import { until } from '../../support/wait.js';

/** `CHAOS_ROUNDS=60` runs so many rounds, `CHAOS_FIRST=7` begins with another one. */
const rounds = Number(process.env.CHAOS_ROUNDS ?? 2);
const first = Number(process.env.CHAOS_FIRST ?? 1);

/** What is killed, and how its command line tells it; `worker` is the process in which the host runs the app, `command` and `terminal` are the command that runs the stack. */
const PARTS = {
  host: 'stack/devhost/main',
  worker: 'stack/devhost/worker-main',
  scorer: 'scorer/bundle',
  azurite: 'azurite-main',
  ffmpeg: 'ffmpeg',
  command: 'cli/main',
  terminal: 'cli/main',
};
type Part = keyof typeof PARTS;
const parts = Object.keys(PARTS) as Part[];

const MAIN = path.resolve(import.meta.dirname, '../../../dist/cli/main.js');
const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-kills-'));
const data = path.join(folder, 'data');
const clip = makeClip(path.join(folder, 'clip.mp4'), { size: '96x54' });
const spec = { model: 'starry-night', batch: { size: 6 }, retry: { firstDelaySeconds: 0, maxAttempts: 10 } };

/** All processes of the stack, told by their HOME. */
const running = () => processesWith(`HOME=${folder}\0`);
const gone = (within: number) => until('the end of all processes', () => running().length === 0 || undefined, within);

let command: ChildProcess;
let client: JobClient;
let undisturbed: string;

async function start(): Promise<void> {
  command = spawn(process.execPath, [MAIN, 'start', '--data', data], {
    env: { ...process.env, HOME: folder },
    // A terminal is one session: everything that was started in it hears that it closes.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [command.stdout, command.stderr])
    stream?.setEncoding('utf8').on('data', (text) => (said += text));
  const ended = once(command, 'exit').then((): never => {
    throw new Error(`The stack did not start: ${said}`);
  });
  const { url } = await Promise.race([until('the stack', () => findStack(data)), ended]);
  ended.catch(() => undefined);
  client = createJobClient(url, undefined);
}

async function stop(): Promise<void> {
  command.kill('SIGINT');
  await gone(20);
}

beforeAll(async () => {
  await start();
  const id = await client.start({ ...spec, input: { video: await client.upload('video', clip) } });
  undisturbed = await outputOf(id, await endOf(id));
});
afterAll(async () => {
  await stop();
  rmSync(folder, { recursive: true, force: true });
});

const endOf = (id: string) =>
  until(
    `the end of job ${id}`,
    async () => {
      const status = await client.status(id).catch(() => undefined);
      return status && ['done', 'failed', 'cancelled'].includes(status.state) ? status : undefined;
    },
    120,
    250,
  );

async function outputOf(id: string, status: JobStatus): Promise<string> {
  expect(status).toMatchObject({ state: 'done', items: { total: 24, done: 24, failed: 0 } });
  const file = path.join(folder, 'output.mp4');
  await client.download(id, 'output', file, true);
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** Kills one part of the stack. @returns whether the command ends with it. */
function kill(part: Part): boolean {
  const pids = running().filter((pid) => commandOf(pid).includes(PARTS[part]));
  if (part === 'terminal') {
    command.stdout?.destroy();
    command.stderr?.destroy();
    process.kill(-(command.pid ?? 0), 'SIGHUP');
  } else for (const pid of pids) process.kill(pid, 'SIGKILL');
  return !['worker', 'scorer', 'ffmpeg'].includes(part);
}

test.each(Array.from({ length: rounds }, (_, k) => first + k))(
  'round %i: whatever is killed in the middle of a job, nothing acknowledged is lost and the output is the same',
  { timeout: 240_000 },
  async (round) => {
    const random = randomOf(`kill ${round}`);
    const part = parts[(round - 1) % parts.length] ?? pick(random, parts);
    const disturbed = await client.start({ ...spec, input: { video: await client.upload('video', clip) } });
    await pause(random() * 3000);
    if (part === 'scorer' || part === 'ffmpeg')
      await until(
        `a ${part} or the end of the job`,
        async () =>
          running().some((pid) => commandOf(pid).includes(PARTS[part])) ||
          (await client.status(disturbed)).state === 'done' ||
          undefined,
      );
    const accepted = await client.start({ ...spec, input: { video: await client.upload('video', clip) } });
    const video = await client.upload('video', clip);
    if (kill(part)) {
      await gone(15);
      await start();
    }
    const uploaded = await client.start({ ...spec, input: { video } });
    for (const id of [disturbed, accepted, uploaded]) expect(await outputOf(id, await endOf(id))).toBe(undisturbed);
  },
);
