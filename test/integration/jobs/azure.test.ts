import { createHash } from 'node:crypto';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Fault } from '../../../azure-emulator/src/faults.js';
import { type AttemptPhases, PHASES } from '../../../src/job/phases.js';
import { containerName, jobContainer, MANIFEST, settledBlob, workContainer } from '../../../src/job-store/layout.js';
import { makeClip } from '../../support/clip.js';
import { useStack } from '../../support/stack.js';
import { until } from '../../support/wait.js';

const stack = useStack({ emulateAzure: true });
const FRAMES = 24;
const BATCH = FRAMES / 2;

let video = '';
beforeAll(async () => {
  video = await stack.client.upload('video', makeClip(path.join(stack.folder, 'clip.mp4'), { size: '320x180' }));
});

const emulator = async (what: string, body?: object): Promise<{ present: string[]; created: string[] }> => {
  const request = body ? { method: 'POST', body: JSON.stringify(body) } : {};
  const answer = await fetch(`${stack.azure}/emulator/${what}`, request);
  return answer.status === 204 ? { present: [], created: [] } : ((await answer.json()) as never);
};
const spoil = (fault: Fault) => emulator('faults', fault);

const start = (kind: 'aci' | 'container-apps' | 'local', more: object = {}) =>
  stack.client.start({
    input: { video },
    model: 'starry-night',
    output: { keepFrames: true },
    compute: { kind },
    batch: { size: BATCH, maxParallel: 2 },
    retry: { maxAttempts: 2, firstDelaySeconds: 0 },
    ...more,
  });

/** SHA-256 of every scored frame, by name. */
async function hashes(id: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const container = stack.storage.getContainerClient(workContainer(id));
  for await (const { name } of container.listBlobsFlat({ prefix: 'scored/' })) {
    const bytes = await container.getBlobClient(name).downloadToBuffer();
    found.set(name, createHash('sha256').update(bytes).digest('hex'));
  }
  return found;
}

const attemptsOf = async (id: string, batch: number): Promise<number> => {
  const blob = stack.storage.getContainerClient(jobContainer(id)).getBlobClient(settledBlob(batch));
  return (JSON.parse((await blob.downloadToBuffer()).toString()) as { attempt: number }).attempt;
};

const phasesOf = async (id: string, batch: number): Promise<AttemptPhases[]> => {
  const blob = stack.storage.getContainerClient(jobContainer(id)).getBlobClient(MANIFEST);
  const manifest = JSON.parse((await blob.downloadToBuffer()).toString()) as { batches: { phases: AttemptPhases[] }[] };
  return manifest.batches[batch]?.phases ?? [];
};

/** Waits until batch 0 has stored its first frames, then does to its container what `how` says. */
async function strike(id: string, how: 'end' | 'lose', exitCode?: number): Promise<void> {
  const container = stack.storage.getContainerClient(workContainer(id));
  await until('scored frames of batch 0', async () => {
    if (!(await container.exists())) return undefined;
    for await (const { name } of container.listBlobsFlat({ prefix: 'scored/' }))
      if (Number(/\d+/.exec(name)?.[0]) < BATCH) return true;
    return undefined;
  });
  await emulator(how, { name: containerName(id, 0, 1), exitCode });
}

let reference: Map<string, string>;
beforeAll(async () => {
  const id = await start('local');
  expect((await stack.ended(id)).state).toBe('done');
  reference = await hashes(id);
  expect(reference.size).toBe(FRAMES);
});

let createdBefore = 0;
beforeEach(async () => {
  createdBefore = (await emulator('groups')).created.length;
});

/** The job is done, every frame is the one that local compute made, and nothing is left or was started twice. */
async function endsRight(id: string): Promise<string[]> {
  const status = await stack.ended(id);
  expect(status.error).toBeNull();
  expect(status.state).toBe('done');
  expect(await hashes(id)).toEqual(reference);
  return nothingLeft();
}

async function nothingLeft(): Promise<string[]> {
  const { present, created } = await emulator('groups');
  expect(present).toEqual([]);
  const own = created.slice(createdBefore);
  expect(new Set(own).size).toBe(own.length);
  return own;
}

describe('a job on emulated Azure', () => {
  test('scores the same frames as on local compute, with one container group per batch', async () => {
    const id = await start('aci');
    expect((await endsRight(id)).toSorted()).toEqual([containerName(id, 0, 1), containerName(id, 1, 1)]);
  });

  test.each<[string, Fault]>([
    ['no capacity', { on: 'PUT', status: 409, code: 'ServiceUnavailable', message: 'not available in the location' }],
    ['a throttled create without Retry-After', { on: 'PUT', status: 429, code: 'TooManyRequests' }],
    ['a throttled create with Retry-After', { on: 'PUT', status: 429, code: 'TooManyRequests', retryAfter: 1 }],
    ['a create whose answer is lost', { on: 'PUT', cut: true }],
    ['a look whose answer is lost', { on: 'GET', cut: true }],
    ['a failing service', { on: 'GET', status: 503, code: 'ServerBusy', times: 2 }],
    ['a deletion whose answer is lost', { on: 'DELETE', cut: true }],
  ])('waits out %s without spending an attempt', async (_, fault) => {
    await spoil(fault);
    const id = await start('aci');
    if (fault.on === 'PUT' && 'code' in fault) {
      const waiting = () => stack.client.status(id).then((status) => status.waiting[0]);
      expect(await until('the reason', waiting)).toMatch(/no room for the container now|throttl/);
    }
    await endsRight(id);
    expect((await stack.client.status(id)).waiting).toEqual([]);
    expect([await attemptsOf(id, 0), await attemptsOf(id, 1)]).toEqual([1, 1]);
  });

  test('waits out a region that finds no room after all', async () => {
    await spoil({ on: 'GROUP', fate: 'no-capacity' });
    const id = await start('aci', { retry: { maxAttempts: 1, firstDelaySeconds: 0 } });
    expect(await endsRight(id)).toHaveLength(3);
  });

  test('waits out a container that never starts', async () => {
    await spoil({ on: 'GROUP', fate: 'never-starts' });
    const timeouts = { provisionSeconds: 8 };
    const id = await start('aci', { retry: { maxAttempts: 1, firstDelaySeconds: 0 }, timeouts });
    expect(await endsRight(id)).toHaveLength(3);
  });

  test.each<[string, 'end' | 'lose', number | undefined, number]>([
    ['maintenance (7147)', 'end', 7147, 1],
    ['the loss of a group', 'lose', undefined, 1],
    ['a crash', 'end', 1, 2],
    ['a kill for want of memory (137)', 'end', 137, 2],
  ])('scores only what is missing after %s', async (_, how, exitCode, maxAttempts) => {
    const id = await start('aci', { retry: { maxAttempts, firstDelaySeconds: 0 } });
    await strike(id, how, exitCode);
    await endsRight(id);
    expect([await attemptsOf(id, 0), await attemptsOf(id, 1)]).toEqual([2, 1]);
    const phases = await phasesOf(id, 0);
    expect(phases.map(({ attempt }) => attempt)).toEqual([1, 2]);
    // A container that is killed has told of itself up to its last report, which is a second old at most.
    const [killed = [], whole] = phases.map(({ seconds }) => Object.keys(seconds));
    // What only the platform knew is lost with the group.
    const told = how === 'lose' ? ['started'] : ['queued', 'pulled', 'started'];
    expect(killed.slice(0, told.length)).toEqual(told);
    expect(whole).toEqual(PHASES);
  });

  test('that crashes more often than it may ends with the exit code in its sentence', async () => {
    const id = await start('aci', { retry: { maxAttempts: 1, firstDelaySeconds: 0 } });
    await strike(id, 'end', 137);
    const status = await stack.ended(id);
    expect(status.state).toBe('failed');
    expect(status.error?.message).toMatch(/items could not be scored.*exit code 137.*ACI_MEMORY_GB/);
    await nothingLeft();
  });

  test('whose image cannot be pulled fails at once with the setting to change', async () => {
    await spoil({ on: 'GROUP', fate: 'pull-error' });
    const id = await start('aci');
    const status = await stack.ended(id);
    expect(status).toMatchObject({ state: 'failed', error: { kind: 'user' } });
    expect(status.error?.message).toContain('ACI_IMAGE');
    await nothingLeft();
  });

  test('that is cancelled leaves no container group', async () => {
    const id = await start('aci');
    await until('its groups', async () => ((await emulator('groups')).present.length === 2 ? true : undefined));
    await stack.client.cancel(id);
    expect((await stack.ended(id)).state).toBe('cancelled');
    await nothingLeft();
  });
});

describe('a job on emulated Container Apps', () => {
  const executions = async (): Promise<{ live: string[]; started: string[] }> => {
    const answer = (await (await fetch(`${stack.azure}/emulator/executions`)).json()) as Record<string, object[]>;
    const names = (templates: object[] = []) =>
      templates.map((template) => /"SCORER_LAUNCH","value":"([^"]+)"/.exec(JSON.stringify(template))?.[1] ?? '');
    return { live: names(answer.live), started: names(answer.started) };
  };
  const startedFor = async (id: string) => (await executions()).started.filter((name) => name.startsWith(id));

  test('scores the same frames as on local compute, with one execution per batch', async () => {
    const id = await start('container-apps');
    await endsRight(id);
    expect((await startedFor(id)).toSorted()).toEqual([containerName(id, 0, 1), containerName(id, 1, 1)]);
    expect((await executions()).live).toEqual([]);
  });

  test('scores only what is missing after a crash', async () => {
    const id = await start('container-apps');
    await strike(id, 'end', 1);
    await endsRight(id);
    expect([await attemptsOf(id, 0), await attemptsOf(id, 1)]).toEqual([2, 1]);
    expect((await executions()).live).toEqual([]);
  });

  test('that is cancelled leaves no execution', async () => {
    const id = await start('container-apps');
    await until('its executions', async () => ((await executions()).live.length === 2 ? true : undefined));
    await stack.client.cancel(id);
    expect((await stack.ended(id)).state).toBe('cancelled');
    expect((await executions()).live).toEqual([]);
  });

  test('that asks for a GPU where there is none is refused, or runs on CPU with a warning', async () => {
    const refused = await stack.ended(
      await start('container-apps', { compute: { kind: 'container-apps', gpu: 'require' } }),
    );
    expect(refused).toMatchObject({ state: 'failed', error: { kind: 'user' } });
    expect(refused.error?.message).toContain('CONTAINER_APPS_GPU_IMAGE');
    const status = await stack.ended(
      await start('container-apps', { compute: { kind: 'container-apps', gpu: 'prefer' } }),
    );
    expect(status.state).toBe('done');
    expect(status.warnings.join()).toContain('so it runs on CPU');
  });
});
