import { beforeEach, describe, expect, test } from 'vitest';
import { JobError } from '../../../src/job/failure.js';
import type { Observation } from '../../../src/compute/provider.js';
import { aciCompute, FOREVER, launchOf, useEmulator } from '../../support/aci.js';
import { until } from '../../support/wait.js';

const azure = useEmulator();
const aci = (more: NodeJS.ProcessEnv = {}) => aciCompute(azure.emulator.url, more);

const reaches = (name: string, state: Observation['state']) =>
  until(`${name} to be ${state}`, async () => {
    const seen = await aci().observe(name);
    return seen.state === state ? seen : undefined;
  });
const puts = () => azure.exchanges.filter(({ request }) => request.method === 'PUT');

beforeEach(async () => {
  for (const { name } of await aci().list()) await aci().remove(name);
  azure.exchanges.length = 0;
  azure.emulator.azure.created.length = 0;
});

describe('a container group', () => {
  test('is created once, however often its launch is delivered', async () => {
    const request = launchOf(FOREVER);
    for (let delivery = 0; delivery < 3; delivery += 1) await aci().launch(request);
    expect(azure.emulator.azure.created).toEqual([request.name]);
    expect(puts().map(({ answer }) => answer.status)).toEqual([201]);
  });

  test('that another delivery has taken over is neither created again nor removed', async () => {
    const request = launchOf(FOREVER);
    const confirm = async () => {
      // While this one stood still, the other delivery got the lease and created the group.
      await aci().launch(request);
      throw new JobError('platform', 'Somebody else is at the launch.');
    };
    await expect(aci().launch({ ...request, confirm })).rejects.toThrow('Somebody else');
    expect(puts().map(({ answer }) => answer.status)).toEqual([201]);
    expect(azure.emulator.azure.groups.has(request.name)).toBe(true);
  });

  test('carries its owner as tags and every value of its environment as a secure value', async () => {
    const request = launchOf(FOREVER);
    await aci().launch(request);
    const body = JSON.stringify(puts()[0]?.request.body);
    expect(JSON.parse(body)).toMatchObject({
      location: 'westeurope',
      tags: {
        app: 'durable-batch-scoring',
        hub: 'local',
        job: 'coast-k3v9q2xa',
        batch: String(request.batch),
        attempt: '1',
        deadline: '2026-11-23T12:00:00.000Z',
      },
      properties: { restartPolicy: 'Never', osType: 'Linux' },
    });
    expect(body).not.toContain('"value"');
    expect(JSON.stringify(puts()[0]?.answer.body)).not.toContain('top-secret');
    expect(puts()[0]?.request.url.href).not.toContain('top-secret');
  });

  test('has the place, network, identity and price that the settings ask for', async () => {
    const id = '/subscriptions/s/resourceGroups/rg/providers';
    const [subnet, identity] = [
      `${id}/Microsoft.Network/virtualNetworks/net/subnets/aci`,
      `${id}/Microsoft.ManagedIdentity/x`,
    ];
    const request = launchOf(FOREVER);
    await aci({
      ACI_ZONE: '2',
      ACI_SUBNET_ID: subnet,
      ACI_DNS_SERVERS: '10.0.0.4, 10.0.0.5',
      ACI_IDENTITY_ID: identity,
    }).launch(request);
    await aci({ ACI_SPOT: 'true', ACI_CPU: '1', ACI_MEMORY_GB: '1.5' }).launch(launchOf(FOREVER));
    expect(puts()[0]?.request.body).toMatchObject({
      zones: ['2'],
      identity: { type: 'UserAssigned', userAssignedIdentities: { [identity]: {} } },
      properties: {
        subnetIds: [{ id: subnet }],
        dnsConfig: { nameServers: ['10.0.0.4', '10.0.0.5'] },
        imageRegistryCredentials: [{ server: 'example.azurecr.io', identity }],
      },
    });
    expect(puts()[1]?.request.body).toMatchObject({
      properties: {
        priority: 'Spot',
        containers: [{ properties: { resources: { requests: { cpu: 1, memoryInGB: 1.5 } } } }],
      },
    });
  });

  test('is pulled, runs, succeeds, and is gone when it was removed', async () => {
    const request = launchOf('console.log("done")');
    const { name } = request;
    await aci().launch(request);
    expect((await aci().observe(name)).state).toBe('provisioning');
    const seen = await reaches(name, 'succeeded');
    expect(seen).toMatchObject({ exitCode: 0 });
    expect(seen.events?.join('\n')).toMatch(/Pulling: .*\nPulled: .*\nStarted: /);
    expect(await aci().logs(name)).toEqual([{ text: 'done', stream: 'platform' }]);
    await aci().remove(name);
    await aci().remove(name);
    expect(await aci().observe(name)).toMatchObject({ state: 'lost', blame: 'platform' });
    expect(await aci().logs(name)).toEqual([]);
  });

  test('that runs is killed when it is removed', async () => {
    const request = launchOf(FOREVER);
    await aci().launch(request);
    await reaches(request.name, 'running');
    expect(await aci().list()).toEqual([{ name: request.name, jobId: request.jobId, deadline: request.deadline }]);
    await aci().remove(request.name);
    expect(await aci().list()).toEqual([]);
  });

  test.each([
    [1, undefined, 'exit code 1'],
    [137, undefined, 'out of memory'],
    [7147, 'platform', 'maintenance'],
    [7148, 'platform', 'maintenance'],
  ])('that ends with exit code %i is told as such', async (exitCode, blame, part) => {
    const request = launchOf(FOREVER);
    await aci().launch(request);
    await reaches(request.name, 'running');
    await azure.emulator.azure.groups.get(request.name)?.container?.kill(exitCode);
    const seen = await reaches(request.name, 'failed');
    expect(seen).toMatchObject({ exitCode });
    expect(seen.blame).toBe(blame);
    expect(seen.reason).toContain(part);
  });

  test('keeps only the end of its log once it has ended, and the log says so', async () => {
    const request = launchOf('for (let i = 0; i < 3000; i += 1) console.log("line " + i)');
    await aci().launch(request);
    await reaches(request.name, 'succeeded');
    const [notice, ...kept] = await aci().logs(request.name);
    expect(notice).toMatchObject({ level: 'warn', text: expect.stringContaining('may be only the end') });
    expect(kept.map(({ text }) => text).join('\n').length).toBeLessThanOrEqual(16 * 1024);
    expect(kept.length).toBeLessThanOrEqual(1000);
    expect(kept.every(({ text }) => /^line \d{4}$/.test(text))).toBe(true);
    expect(kept.at(-1)?.text).toBe('line 2999');
  });
});

describe('a container that cannot run', () => {
  test('for want of room is the platform’s failure', async () => {
    azure.emulator.faults.add({ on: 'GROUP', fate: 'no-capacity' });
    const request = launchOf(FOREVER);
    await aci().launch(request);
    const seen = await reaches(request.name, 'failed');
    expect(seen).toMatchObject({ blame: 'platform' });
    expect(seen.reason).toContain('no room');
  });

  test('for want of its image is the user’s to mend', async () => {
    azure.emulator.faults.add({ on: 'GROUP', fate: 'pull-error' });
    const request = launchOf(FOREVER);
    await aci().launch(request);
    const seen = await reaches(request.name, 'failed');
    expect(seen).toMatchObject({ blame: 'user' });
    expect(seen.reason).toContain('ACI_IMAGE');
  });

  test('however often its platform starts it again is told so', async () => {
    const request = launchOf(FOREVER);
    await aci().launch(request);
    await reaches(request.name, 'running');
    const group = azure.emulator.azure.groups.get(request.name);
    for (const restart of [1, 2]) {
      await group?.evict();
      const seen = await aci().observe(request.name);
      expect(seen.state).toBe('running');
      expect(seen.events?.filter((event) => event.startsWith('Started'))).toHaveLength(restart + 1);
    }
    await group?.evict();
    expect(await aci().observe(request.name)).toMatchObject({
      state: 'failed',
      reason: 'the platform started the scorer 3 times again: it cannot run',
    });
  });

  test('and never starts stays in provisioning, for the job’s own limit to end', async () => {
    azure.emulator.faults.add({ on: 'GROUP', fate: 'never-starts' });
    const request = launchOf(FOREVER);
    await aci().launch(request);
    expect((await aci().observe(request.name)).state).toBe('provisioning');
  });
});

describe('a create that Azure spoils', () => {
  const CAPACITY = "The requested resource is not available in the location 'westeurope' at this moment.";

  test('for want of room goes to the next region, and never to both', async () => {
    azure.emulator.faults.add({ on: 'PUT', status: 409, code: 'ServiceUnavailable', message: CAPACITY });
    const request = launchOf(FOREVER);
    await aci().launch(request);
    expect(puts().map(({ answer }) => answer.status)).toEqual([409, 201]);
    expect([...azure.emulator.azure.groups.values()].map(({ body }) => body.location)).toEqual(['northeurope']);
  });

  test('in every region waits for the platform', async () => {
    azure.emulator.faults.add({ on: 'PUT', times: 2, status: 409, code: 'ServiceUnavailable', message: CAPACITY });
    await expect(aci().launch(launchOf(FOREVER))).rejects.toMatchObject({ blame: 'platform' });
    expect(azure.emulator.azure.groups.size).toBe(0);
  });

  test('without an answer is found again and not sent again', async () => {
    azure.emulator.faults.add({ on: 'PUT', cut: true });
    const request = launchOf(FOREVER);
    await aci().launch(request);
    expect(azure.emulator.azure.created).toEqual([request.name]);
  });

  test('throttled with Retry-After is not sent again before that', async () => {
    const throttled = aci({ ACI_REGIONS: 'westeurope' });
    azure.emulator.faults.add({ on: 'PUT', status: 429, code: 'TooManyRequests', retryAfter: 30 });
    await expect(throttled.launch(launchOf(FOREVER))).rejects.toThrow('throttling the app');
    await expect(throttled.launch(launchOf(FOREVER))).rejects.toMatchObject({
      message: expect.stringMatching(/^Azure throttles creates in westeurope, for another \d+ seconds\.$/) as string,
      retryAfterSeconds: expect.closeTo(30, 0) as number,
    });
    expect(puts()).toHaveLength(1);
  });

  test('throttled without Retry-After is waited for', async () => {
    azure.emulator.faults.add({ on: 'PUT', status: 429, code: 'TooManyRequests' });
    const request = launchOf(FOREVER);
    await expect(aci().launch(request)).rejects.toMatchObject({ blame: 'platform' });
    await aci().launch(request);
    expect(azure.emulator.azure.created).toEqual([request.name]);
  });

  test('for a bad image fails at once', async () => {
    azure.emulator.faults.add({ on: 'PUT', status: 400, code: 'InaccessibleImage', message: 'not accessible' });
    await expect(aci().launch(launchOf(FOREVER))).rejects.toMatchObject({ blame: 'user' });
  });
});

describe('what cannot be asked', () => {
  test('an Azure that is away is waited for', async () => {
    const away = aciCompute('http://127.0.0.1:9');
    await expect(away.observe('x')).rejects.toMatchObject({ blame: 'platform' });
  });

  test('a removal whose answer is lost can be sent again', async () => {
    const request = launchOf(FOREVER);
    await aci().launch(request);
    azure.emulator.faults.add({ on: 'DELETE', cut: true });
    await expect(aci().remove(request.name)).rejects.toMatchObject({ blame: 'platform' });
    await aci().remove(request.name);
    expect(azure.emulator.azure.groups.size).toBe(0);
  });
});
