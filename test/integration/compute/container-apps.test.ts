import { beforeEach, describe, expect, test } from 'vitest';
import { JobError } from '../../../src/job/failure.js';
import type { Observation } from '../../../src/compute/provider.js';
import { FOREVER, launchOf, useEmulator } from '../../support/aci.js';
import { containerApps, launchName, liveExecutions } from '../../support/container-apps.js';
import { until } from '../../support/wait.js';

const azure = useEmulator({
  apps: {
    location: 'westus3',
    profiles: { Consumption: 'Consumption', 'gpu-t4': 'Consumption-GPU-NC8as-T4' },
    quotas: { ManagedEnvironmentConsumptionCores: 100, SubscriptionConsumptionT4Gpus: 1 },
  },
});
let apps = containerApps(azure, {}, 'http://127.0.0.1:9');
const aLaunch = (program = FOREVER) => launchOf(program, { deadline: Date.now() + 3_500_000 });
const started = () => azure.emulator.apps.started.map(launchName);
const asked = (method: string, part: string) =>
  azure.exchanges.filter(({ request }) => request.method === method && request.url.pathname.includes(part));

const reaches = (name: string, state: Observation['state']) =>
  until(`${name} to be ${state}`, async () => {
    const seen = await apps.observe(name);
    return seen.state === state ? seen : undefined;
  });

beforeEach(async () => {
  apps = containerApps(azure);
  for (const { name } of await apps.list()) await apps.remove(name);
  azure.emulator.apps.jobs.clear();
  azure.emulator.apps.started.length = 0;
  azure.exchanges.length = 0;
});

describe('an execution', () => {
  test('is started once, however often its launch is delivered, by hosts that know nothing of each other', async () => {
    const request = aLaunch();
    for (let delivery = 0; delivery < 3; delivery += 1) await containerApps(azure).launch(request);
    expect(started()).toEqual([request.name]);
  });

  test('that two hosts start at the same moment goes on once', async () => {
    const request = aLaunch();
    await Promise.all([containerApps(azure).launch(request), containerApps(azure).launch(request)]);
    await until('the second to be stopped', () => (liveExecutions(azure).length === 1 ? true : undefined));
    expect(liveExecutions(azure)).toEqual([request.name]);
    expect((await reaches(request.name, 'running')).state).toBe('running');
  });

  test('that another delivery has taken over is neither started again nor stopped', async () => {
    const request = aLaunch();
    const confirm = async () => {
      // While this one stood still, the other delivery got the lease and started the execution.
      await containerApps(azure).launch(request);
      throw new JobError('platform', 'Somebody else is at the launch.');
    };
    await expect(apps.launch({ ...request, confirm })).rejects.toThrow('Somebody else');
    expect(started()).toEqual([request.name]);
    expect(liveExecutions(azure)).toEqual([request.name]);
  });

  test('that the service starts twice for one request goes on once', async () => {
    azure.emulator.faults.add({ on: 'EXECUTION', fate: 'twice' });
    const request = aLaunch();
    await apps.launch(request);
    expect(started()).toEqual([request.name, request.name]);
    expect(liveExecutions(azure)).toEqual([request.name]);
  });

  test.each([[true as const], ['silent' as const]])('whose start has no answer (%s) is found again', async (cut) => {
    azure.emulator.faults.add({ on: 'START', cut });
    const request = aLaunch();
    await apps.launch(request);
    expect(started()).toEqual([request.name]);
  });

  test('runs, succeeds, and says where its output is', async () => {
    const request = aLaunch('console.log("done")');
    await apps.launch(request);
    const seen = await reaches(request.name, 'succeeded');
    expect(seen.events?.[0]).toMatch(/^Execution scorer-cpu-\w+-\w+: Succeeded, started .*Z, ended .*Z$/);
    expect(await apps.logs(request.name)).toMatchObject([
      {
        text: expect.stringMatching(/ContainerAppConsoleLogs_CL .*startswith 'scorer-cpu-\w+-\w+'/),
        stream: 'platform',
      },
    ]);
    await apps.remove(request.name);
    expect(await apps.list()).toEqual([]);
  });

  test('that runs is stopped when it is removed, and can be removed again', async () => {
    const request = aLaunch();
    await apps.launch(request);
    await reaches(request.name, 'running');
    const { name, jobId, deadline } = request;
    expect(await apps.list()).toEqual([{ name, jobId, deadline }]);
    await apps.remove(name);
    await apps.remove(name);
    expect(liveExecutions(azure)).toEqual([]);
  });

  test('that crashes has failed, with a sentence that says what the API leaves out', async () => {
    const request = aLaunch('process.exit(3)');
    await apps.launch(request);
    const seen = await reaches(request.name, 'failed');
    expect(seen.blame).toBeUndefined();
    expect(seen.reason).toMatch(/ended the execution .* as failed, without an exit code/);
  });

  test('that somebody stopped is the platform’s failure', async () => {
    const request = aLaunch();
    await apps.launch(request);
    await reaches(request.name, 'running');
    for (const execution of azure.emulator.apps.executions) await execution.stop();
    expect(await apps.observe(request.name)).toMatchObject({ state: 'failed', blame: 'platform' });
  });

  test('that no place is found for stays in provisioning, for the job’s own limit to end', async () => {
    azure.emulator.faults.add({ on: 'EXECUTION', fate: 'never-starts' });
    const request = aLaunch();
    await apps.launch(request);
    expect((await apps.observe(request.name)).state).toBe('provisioning');
  });

  test('that Azure forgot is lost', async () => {
    const request = aLaunch();
    await apps.launch(request);
    for (const job of azure.emulator.apps.jobs.values()) job.executions = [];
    expect(await apps.observe(request.name)).toMatchObject({ state: 'lost', blame: 'platform' });
    expect(await apps.logs(request.name)).toEqual([]);
  });

  test('whose stop has no answer is stopped again', async () => {
    const request = aLaunch();
    await apps.launch(request);
    azure.emulator.faults.add({ on: 'STOP', cut: true });
    await expect(apps.remove(request.name)).rejects.toMatchObject({ blame: 'platform' });
    await apps.remove(request.name);
    expect(liveExecutions(azure)).toEqual([]);
  });
});

describe('whoever may read the job', () => {
  test('sees whose an execution is, and no value of its environment', async () => {
    const request = aLaunch();
    await apps.launch(request);
    await reaches(request.name, 'running');
    await apps.list();
    const [template] = azure.emulator.apps.started;
    expect(template?.containers[0]?.env).toEqual([
      { name: 'SCORER_LAUNCH', value: request.name },
      { name: 'SCORER_JOB', value: request.jobId },
      { name: 'SCORER_DEADLINE', value: new Date(request.deadline).toISOString() },
      { name: 'SCORER_KEY', secretRef: 'scorer-key' },
      { name: 'SCORER_SEALED', value: expect.any(String) as string },
    ]);
    const [job] = azure.emulator.apps.jobs.values();
    const key = job?.body.properties.configuration.secrets?.[0]?.value ?? '';
    const seen = JSON.stringify(azure.exchanges.map(({ answer }) => answer));
    expect(key).toHaveLength(44);
    for (const secret of [key, 'top-secret', 'console.log']) expect(seen).not.toContain(secret);
    expect(JSON.stringify(azure.exchanges.map(({ request: { url } }) => url.href))).not.toContain('top-secret');
  });
});

describe('the job resource', () => {
  test('is made once for all executions of a configuration', async () => {
    await Promise.all([apps.launch(aLaunch()), apps.launch(aLaunch()), apps.launch(aLaunch())]);
    await containerApps(azure).launch(aLaunch());
    expect(asked('PUT', '/jobs/')).toHaveLength(1);
    expect(asked('PUT', '/jobs/')[0]?.request.body).toMatchObject({
      location: 'westus3',
      tags: { app: 'durable-batch-scoring', hub: 'local' },
      properties: {
        workloadProfileName: 'Consumption',
        configuration: { triggerType: 'Manual', replicaTimeout: 3600, replicaRetryLimit: 0 },
        template: { containers: [{ resources: { cpu: 2, memory: '4Gi' } }] },
      },
    });
  });

  test('is another one for another image, and executions of the old one are still found', async () => {
    const request = aLaunch();
    await apps.launch(request);
    const next = containerApps(azure, { CONTAINER_APPS_IMAGE: 'example.azurecr.io/scorer:2' });
    await next.launch(request);
    await next.launch(aLaunch());
    expect(azure.emulator.apps.jobs.size).toBe(2);
    expect(started()).toHaveLength(2);
    expect((await next.observe(request.name)).state).not.toBe('lost');
  });

  test('on a GPU has its profile, image, size and device', async () => {
    const gpu = containerApps(azure, { CONTAINER_APPS_GPU_IMAGE: 'example.azurecr.io/scorer:1-cuda' });
    await gpu.launch({ ...aLaunch('console.log(unseal(process.env).SCORER_DEVICE)'), gpu: true });
    const [put] = asked('PUT', '/jobs/scorer-gpu-');
    expect(put?.request.body).toMatchObject({
      properties: {
        workloadProfileName: 'gpu-t4',
        template: {
          containers: [{ image: 'example.azurecr.io/scorer:1-cuda', resources: { cpu: 8, memory: '56Gi' } }],
        },
      },
    });
    await until('its output', () =>
      azure.emulator.apps.executions[0]?.container?.log(undefined).includes('cuda') ? true : undefined,
    );
  });

  test('that somebody removed is made again', async () => {
    await apps.launch(aLaunch());
    azure.emulator.apps.jobs.clear();
    const request = aLaunch();
    await expect(apps.launch(request)).rejects.toMatchObject({ blame: 'platform' });
    await apps.launch(request);
    expect(liveExecutions(azure)).toEqual([request.name]);
  });

  test('whose creation has no answer is found again', async () => {
    azure.emulator.faults.add({ on: 'CREATE', cut: true });
    await apps.launch(aLaunch());
    expect(asked('PUT', '/jobs/')).toHaveLength(0);
    expect(azure.emulator.apps.jobs.size).toBe(1);
  });
});

describe('what Azure refuses', () => {
  test('as too many requests is waited for as long as it asks, whichever request that was', async () => {
    for (const on of ['JOB', 'CREATE', 'START'] as const) {
      azure.emulator.faults.add({ on, status: 429, code: 'TooManyRequests', retryAfter: 17 });
      azure.emulator.apps.jobs.clear();
      await expect(containerApps(azure).launch(aLaunch())).rejects.toMatchObject({
        blame: 'platform',
        retryAfterSeconds: 17,
      });
    }
    expect(started()).toEqual([]);
  });

  test.each([
    [403, 'AuthorizationFailed', 'user', 'grant it Contributor on the resource group of the jobs'],
    [400, 'InvalidParameterValueInContainerTemplate', 'user', 'CONTAINER_APPS_IMAGE'],
    [409, 'ContainerAppOperationInProgress', 'platform', 'Another change of the job resource'],
    [400, 'MaxAllowedCoresExceeded', 'platform', 'cores that the Container Apps environment may have are used up'],
    [429, 'TooManyRequests', 'platform', 'throttling'],
    [503, 'ServerBusy', 'platform', 'status 503'],
  ])('with %i %s is the failure of the %s', async (status, code, kind, part) => {
    azure.emulator.faults.add({ on: 'START', status, code });
    const launch = apps.launch(aLaunch());
    await expect(launch).rejects.toMatchObject({ blame: kind, message: expect.stringContaining(part) as string });
    expect(started()).toEqual([]);
  });
});
