import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { createJobClient } from '../../../../src/cli/client/client.js';
import { findStack } from '../../../../src/stack/stack.js';
import { randomOf } from '../../../support/chaos/faults.js';
import { runCli } from '../../../support/cli.js';
import { processesWith } from '../../../support/processes.js';
import { until } from '../../../support/wait.js';

/** `KILL_SEEDS=2` kills at other moments. */
const SEED = process.env.KILL_SEEDS ?? '1';
const FOLDERS = 4;
const KILLS = 1;

const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-inbox-kills-'));
const data = path.join(folder, 'data');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `npm start` on the test's data, marked by its HOME. */
async function startStack() {
  let interrupt: (signal: NodeJS.Signals) => void = () => undefined;
  const env = { HOME: folder, DEVHOST_QUEUE_LEASE_SECONDS: '2' };
  const ended = runCli(['start', '--data', data], { env, onSpawn: (signal) => (interrupt = signal) });
  const { url } = await until('the stack', () => findStack(data));
  const end = async (how: () => void) => {
    how();
    await ended;
    await until('the end of its processes', () => (processesWith(`HOME=${folder}`).length === 0 ? true : undefined));
  };
  const killHost = () => {
    for (const pid of processesWith(`HOME=${folder}`))
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('devhost')) process.kill(pid, 'SIGKILL');
  };
  return {
    url,
    client: createJobClient(url, undefined),
    kill: () => end(killHost),
    stop: () => end(() => interrupt('SIGINT')),
  };
}

test('each folder that is ready starts one job, although the host is killed while it takes them', async () => {
  const random = randomOf(SEED);
  const ready = path.join(folder, '_READY');
  writeFileSync(ready, JSON.stringify({ model: 'starry-night' }));
  let stack = await startStack();
  const dropped: { path: string; etag: string }[] = [];
  for (let index = 0; index < FOLDERS; index += 1) dropped.push(await stack.client.drop(ready, `shots-${index}`));
  for (let kills = 0; kills < KILLS; kills += 1) {
    await pause(500 + 2500 * random());
    await stack.kill();
    stack = await startStack();
  }
  const jobs = await Promise.all(
    dropped.map((each) =>
      until(
        `a job for ${each.path}`,
        async () => {
          const { state, job } = await stack.client.media(each);
          return state === 'started' ? (job ?? undefined) : undefined;
        },
        250,
      ),
    ),
  );
  const url = `${stack.url}/runtime/webhooks/durabletask/instances?instanceIdPrefix=shots-&top=100`;
  const instances = (await (await fetch(url)).json()) as { instanceId: string; name: string }[];
  const started = instances.filter(({ name }) => name === 'scoreJob').map(({ instanceId }) => instanceId);
  expect(started.toSorted()).toEqual(jobs.toSorted());
  await stack.stop();
});
