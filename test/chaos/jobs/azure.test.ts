import { describe, expect, test } from 'vitest';
import { parseLogLine } from '../../../src/container-contract/log-line.js';
import { containerName } from '../../../src/job-store/layout.js';
import { type CliResult, runCli } from '../../support/cli.js';
import { useEmulatedJobs } from '../../support/emulated-jobs.js';
import { LOOK_MS, until } from '../../support/wait.js';

const jobs = useEmulatedJobs();
const { stack } = jobs;

describe.each(['aci', 'container-apps'] as const)('a job on emulated %s', (kind) => {
  test('scores the same frames as on local compute, with one container per batch', async () => {
    const id = await jobs.start(kind);
    expect(await jobs.endsRight(id)).toEqual([containerName(id, 0, 1), containerName(id, 1, 1)]);
  });

  test('scores only what is missing after a crash, and who follows its logs gets every line of every container once', async () => {
    const id = await jobs.start(kind);
    const logs = ['logs', id, '--json', '--url', stack.url];
    const following = runCli([...logs, '--follow']);
    await jobs.strike(id, 'end', 1);
    await jobs.endsRight(id);
    expect(await jobs.attempts(id)).toEqual([2, 1]);
    const [followed, all] = [await following, await runCli(logs)];
    expect([followed.code, all.code]).toEqual([0, 0]);
    const linesOf = ({ stdout }: CliResult) => stdout.trimEnd().split('\n');
    expect(linesOf(followed).toSorted()).toEqual(linesOf(all).toSorted());
    const crashed = linesOf(all).flatMap((line) => {
      const { batch, attempt, stream, message } = parseLogLine(line) ?? {};
      return batch === 0 && attempt === 1 ? [`${stream}: ${message}`] : [];
    });
    expect(crashed[0]).toMatch(/^undefined: batch 0, attempt 1: 8 items, trace \w{32}$/);
    expect(crashed.at(-1)).toMatch(/^platform: The container has ended: /);
    if (kind === 'container-apps') expect(crashed.at(-2)).toMatch(/^platform: .*ContainerAppConsoleLogs_CL/);
  });

  test('that is cancelled leaves no container', async () => {
    const id = await jobs.start(kind);
    await until('its containers', async () => ((await jobs.running(id)) === 2 ? true : undefined));
    await stack.client.cancel(id);
    expect((await stack.ended(id)).state).toBe('cancelled');
    await jobs.nothingLeft(id);
  });
});

test('a job on emulated aci waits out a throttled create, says so meanwhile, and spends no attempt', async () => {
  await jobs.spoil({ on: 'PUT', status: 429, code: 'TooManyRequests', retryAfter: 1 });
  const id = await jobs.start('aci');
  const waiting = async () => (await stack.client.status(id)).waiting[0];
  expect(await until('the reason', waiting, LOOK_MS)).toMatch(/throttl/);
  await jobs.endsRight(id);
  expect((await stack.client.status(id)).waiting).toEqual([]);
  expect(await jobs.attempts(id)).toEqual([1, 1]);
});

test('a job on emulated aci whose image cannot be pulled fails at once with the setting to change', async () => {
  await jobs.spoil({ on: 'GROUP', fate: 'pull-error' });
  const id = await jobs.start('aci');
  const status = await stack.ended(id);
  expect(status).toMatchObject({ state: 'failed', error: { kind: 'user' } });
  expect(status.error?.message).toContain('ACI_IMAGE');
  await jobs.nothingLeft(id);
});

test('a job on emulated aci that requires a GPU runs where the region lists one, with a session for each', async () => {
  await jobs.listGpu('V100');
  const id = await jobs.start('aci', { compute: { kind: 'aci', gpu: 'require' } });
  await jobs.endsRight(id);
  const result = await jobs.result(id, 0);
  expect(result.device).toBe('cpu, 2 sessions');
  await jobs.listGpu(undefined);
});

describe('a job on emulated Container Apps that asks for a GPU where there is none', () => {
  const start = (gpu: 'require' | 'prefer') =>
    jobs.start('container-apps', { compute: { kind: 'container-apps', gpu } });

  test('and cannot do without is refused with the setting to change', async () => {
    const status = await stack.ended(await start('require'));
    expect(status).toMatchObject({ state: 'failed', error: { kind: 'user' } });
    expect(status.error?.message).toContain('CONTAINER_APPS_GPU_IMAGE');
  });

  test('and can do without runs on CPU with a warning', async () => {
    const status = await stack.ended(await start('prefer'));
    expect(status.state).toBe('done');
    expect(status.warnings.join()).toContain('so it runs on CPU');
  });
});
