import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createJobClient } from '../../../src/cli/client/client.js';
import { findStack } from '../../../src/stack/stack.js';
import { checkManifest } from '../../support/manifest.js';
import { runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { processesWith } from '../../support/processes.js';
import { LOOK_MS, until } from '../../support/wait.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-recovery-'));
const data = path.join(folder, 'data');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A stack of its own on the test's data, marked by its HOME. */
async function startStack() {
  let kill: (signal: NodeJS.Signals) => void = () => undefined;
  const ended = runCli(['start', '--data', data], { env: { HOME: folder }, onSpawn: (signal) => (kill = signal) });
  const { url } = await until('the stack', () => findStack(data));
  const end = async (how: () => void) => {
    how();
    const { code, stderr } = await ended;
    await until('the end of its processes', () => (processesWith(`HOME=${folder}`).length === 0 ? true : undefined));
    return { code, stderr };
  };
  const killHost = () => {
    for (const pid of processesWith(`HOME=${folder}`)) {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('devhost')) process.kill(pid, 'SIGKILL');
    }
  };
  return {
    client: createJobClient(url, undefined),
    killHost: () => end(killHost),
    stop: () => end(() => kill('SIGINT')),
  };
}

test('a job goes on at the next start after the host was killed, no finished frame is scored again, and who follows its logs misses nothing', async () => {
  const first = await startStack();
  const video = await first.client.upload(
    'video',
    makeClip(path.join(folder, 'clip.mp4'), { size: '320x180', seconds: 6 }),
  );
  const id = await first.client.start({
    input: { video },
    model: 'starry-night',
    batch: { pack: 4 },
    retry: { firstDelaySeconds: 0 },
  });
  const following = runCli(['logs', id, '--follow', '--json', '--data', data]);
  const look = async () => {
    const { stage, items } = await first.client.status(id);
    return stage === 'score' && items.done >= 6 ? items.done : undefined;
  };
  const before = await until('some scored frames', look, LOOK_MS);
  const { code, stderr } = await first.killHost();
  expect(stderr).toMatch(
    /^The local Functions host ended unexpectedly \(killed by SIGKILL; its log is .+\), so .+ start it again\.$/m,
  );
  expect(code).toBe(1);

  const second = await startStack();
  const ended = async () => {
    const seen = await second.client.status(id);
    return seen.state === 'running' ? undefined : seen;
  };
  const status = await until('the end of the job', ended, LOOK_MS);
  expect(status).toMatchObject({ state: 'done', items: { total: 72, done: 72, failed: 0 } });
  const file = path.join(folder, 'manifest.json');
  await second.client.download(id, 'manifest', file);
  const logs = [await following, await runCli(['logs', id, '--json', '--data', data])];
  const [followed, all] = logs.map(({ stdout }) => stdout.trimEnd().split('\n').toSorted());
  expect(logs.map((each) => each.code)).toEqual([0, 0]);
  expect(followed).toEqual(all);
  await second.stop();
  const { batches } = checkManifest(await readFile(file));
  const again = batches
    .flatMap((batch) => batch.attempts.filter(({ attempt }) => attempt > 1))
    .reduce((sum, { scored }) => sum + scored, 0);
  expect(again).toBeGreaterThan(0);
  expect(again).toBeLessThanOrEqual(72 - before);
});
