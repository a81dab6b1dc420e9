import { afterEach, describe, expect, test } from 'vitest';
import { FOREVER, launchOf, useEmulator } from '../../support/aci.js';
import { containerApps, ENVIRONMENT } from '../../support/container-apps.js';
import { deployedActions } from '../../support/azure-policies.js';
import { useRegistry } from '../../support/registry.js';

const quotas = { ManagedEnvironmentConsumptionCores: 5, SubscriptionConsumptionT4Gpus: 1 };
const profiles = { Consumption: 'Consumption', 'gpu-t4': 'Consumption-GPU-NC8as-T4' };
const azure = useEmulator({ apps: { location: 'westus3', profiles, quotas } });
const GPU_IMAGE = { CONTAINER_APPS_GPU_IMAGE: 'example.azurecr.io/scorer:1-cuda' };

describe('before a job starts', () => {
  test('the quota decides how many containers run at once, and the warning has the numbers', async () => {
    expect(await containerApps(azure).preflight({ maxParallel: 8 })).toMatchObject({
      maxParallel: 2,
      gpu: false,
      warnings: [
        expect.stringMatching(
          /room for 2 containers .*ManagedEnvironmentConsumptionCores of apps: 0 of 5.*2 instead of 8/,
        ),
      ],
    });
  });

  test('a job that does not say gets what fits, without a warning', async () => {
    expect(await containerApps(azure).preflight({})).toMatchObject({ maxParallel: 2, gpu: false, warnings: [] });
  });

  test('a job that asks for memory gets the cores that come with it, as far as a container may have them', async () => {
    const look = async (memoryGb?: number) => {
      const { memory, maxParallel } = await containerApps(azure).preflight({ memoryGb });
      return { ...memory, maxParallel };
    };
    expect(await look()).toEqual({ gb: 4, moreGb: 8, maxParallel: 2 });
    expect(await look(5)).toEqual({ gb: 5, moreGb: 8, maxParallel: 2 });
    expect(await look(7.9)).toEqual({ gb: 8, maxParallel: 1 });
    await expect(look(9)).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringMatching(/at most 8 GB .* "compute.memoryGb" \(9\)/) as string,
    });
  });

  test('a quota that others use at the moment makes the job wait, not fail', async () => {
    const apps = containerApps(azure, { CONTAINER_APPS_CPU: '4' });
    const other = launchOf(FOREVER);
    await apps.launch(other);
    const { maxParallel, warnings } = await apps.preflight({ maxParallel: 1 });
    await apps.remove(other.name);
    expect(maxParallel).toBe(1);
    expect(warnings[0]).toContain('used up at the moment (ManagedEnvironmentConsumptionCores of apps: 4 of 5 in use)');
  });

  test('an environment that does not exist is the user’s to correct', async () => {
    azure.emulator.faults.add({ on: 'USAGE', status: 404, code: 'ResourceNotFound', message: 'not found' });
    await expect(containerApps(azure).preflight({})).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringContaining('CONTAINER_APPS_ENVIRONMENT_ID') as string,
    });
  });
});

describe('a GPU', () => {
  test.each(['prefer', 'require'] as const)('that a job %ss is had, one for each container', async (gpu) => {
    const {
      maxParallel,
      warnings,
      gpu: onGpu,
    } = await containerApps(azure, GPU_IMAGE).preflight({ gpu, maxParallel: 3 });
    expect({ maxParallel, onGpu }).toEqual({ maxParallel: 1, onGpu: true });
    expect(warnings).toEqual([
      expect.stringMatching(/room for 1 container .*SubscriptionConsumptionT4Gpus of westus3: 0 of 1.*1 instead of 3/),
    ]);
  });

  test('is not used unless the job asks', async () => {
    expect(await containerApps(azure, GPU_IMAGE).preflight({ gpu: 'none' })).toMatchObject({ gpu: false });
  });

  test.each([
    ['without an image for it', {}, 'set CONTAINER_APPS_GPU_IMAGE'],
    [
      'without its workload profile',
      { ...GPU_IMAGE, CONTAINER_APPS_GPU: 'A100' },
      'apps has no workload profile of the type Consumption-GPU-NC24-A100',
    ],
  ])('%s is refused where it is required, and missed with a warning where it is preferred', async (_, more, part) => {
    const apps = containerApps(azure, more);
    await expect(apps.preflight({ gpu: 'require' })).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringContaining(part) as string,
    });
    const { gpu, warnings } = await apps.preflight({ gpu: 'prefer' });
    expect(gpu).toBe(false);
    expect(warnings[0]).toMatch(/so it runs on CPU: /);
    expect(warnings[0]).toContain(part);
  });

  test('of which the quota allows none is refused with the numbers', async () => {
    quotas.SubscriptionConsumptionT4Gpus = 0;
    await expect(containerApps(azure, GPU_IMAGE).preflight({ gpu: 'require' })).rejects.toThrow(
      'SubscriptionConsumptionT4Gpus of westus3: 0 of 0 in use',
    );
    quotas.SubscriptionConsumptionT4Gpus = 1;
  });
});

describe('the rights of the app’s identity', () => {
  const grant = (...actions: string[]) => {
    azure.emulator.azure.permissions = [{ actions, notActions: [] }];
  };
  afterEach(() => grant('*'));

  test.each([
    [['*/read'], 'Microsoft.App/jobs/write on /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/jobs'],
    [['*/read', 'Microsoft.App/jobs/write'], 'lacks the right Microsoft.App/jobs/start/action'],
    [['Microsoft.App/jobs/*'], `managedEnvironments/read on ${ENVIRONMENT}`],
    [['*/read', 'Microsoft.App/jobs/*'], 'managedEnvironments/join/action'],
    [['Microsoft.App/*'], 'correct CONTAINER_APPS_IDENTITY_ID'],
  ])('%j do not suffice, which is refused by name before anything is spent', async (actions, part) => {
    grant(...actions);
    const apps = containerApps(azure, {
      CONTAINER_APPS_RESOURCE_GROUP: 'jobs',
      CONTAINER_APPS_IDENTITY_ID: ENVIRONMENT.replace(/Microsoft.App.*/, 'Microsoft.ManagedIdentity/x'),
    });
    await expect(apps.preflight({})).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringContaining(part) as string,
    });
  });

  test('suffice when they are those that the deployment gives it, without one on the subscription', async () => {
    grant(...deployedActions());
    const apps = containerApps(azure, {
      ...GPU_IMAGE,
      CONTAINER_APPS_IDENTITY_ID: ENVIRONMENT.replace(/Microsoft.App.*/, 'Microsoft.ManagedIdentity/x'),
    });
    expect(await apps.preflight({ maxParallel: 2 })).toMatchObject({ maxParallel: 2, warnings: [] });
    // The quota of GPUs belongs to the subscription, the environment does not.
    azure.emulator.faults.add({ on: 'USAGE', of: '/locations/', times: 2, status: 403, code: 'AuthorizationFailed' });
    expect(await apps.preflight({ gpu: 'require', maxParallel: 3 })).toMatchObject({ gpu: true, maxParallel: 3 });
  });

  test('that Azure does not tell are taken as given', async () => {
    grant();
    azure.emulator.faults.add({ on: 'RIGHTS', times: 2, status: 403, code: 'AuthorizationFailed' });
    expect((await containerApps(azure).preflight({})).warnings).toEqual([]);
  });
});

describe('the image', () => {
  const registry = useRegistry();

  test('that the registry does not have is refused by the setting that names it', async () => {
    const images = { CONTAINER_APPS_IMAGE: registry.image('scorer:9'), ...GPU_IMAGE };
    await expect(containerApps(azure, images).preflight({})).rejects.toThrow('correct CONTAINER_APPS_IMAGE.');
    const gpu = { CONTAINER_APPS_GPU_IMAGE: registry.image('scorer:9') };
    await expect(containerApps(azure, gpu).preflight({ gpu: 'require' })).rejects.toThrow(
      'correct CONTAINER_APPS_GPU_IMAGE.',
    );
    expect((await containerApps(azure, gpu).preflight({})).warnings).toEqual([]);
  });

  test('that the registry has passes, and a registry that is away is warned of', async () => {
    const there = { CONTAINER_APPS_IMAGE: registry.image('scorer:1') };
    expect((await containerApps(azure, there).preflight({})).warnings).toEqual([]);
    const away = { CONTAINER_APPS_IMAGE: '127.0.0.1:9/scorer:1' };
    expect((await containerApps(azure, away).preflight({})).warnings).toEqual([
      expect.stringMatching(/could not check .*127\.0\.0\.1:9\/scorer:1/),
    ]);
  });
});
