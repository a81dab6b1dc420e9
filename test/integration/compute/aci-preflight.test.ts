import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { aciCompute, FOREVER, launchOf, memoryLedgers, useEmulator } from '../../support/aci.js';
import { deployedActions } from '../../support/azure-policies.js';
import { useRegistry } from '../../support/registry.js';

const azure = useEmulator({ quotas: { ContainerGroups: 3, StandardCores: 4 } });
const aci = (more: NodeJS.ProcessEnv = {}) => aciCompute(azure.emulator.url, { ACI_REGIONS: 'westeurope', ...more });

describe('before a job starts', () => {
  test('the quotas decide how many containers run at once, and the warning has the numbers', async () => {
    const { maxParallel, warnings } = await aci().preflight({ maxParallel: 8 });
    expect(maxParallel).toBe(2);
    expect(warnings).toEqual([
      expect.stringMatching(
        /room for 2 containers .*ContainerGroups of westeurope: 0 of 3.*StandardCores of westeurope: 0 of 4.*2 instead of 8/,
      ),
    ]);
  });

  test('several regions add up', async () => {
    const both = aci({ ACI_REGIONS: 'westeurope,northeurope' });
    expect(await both.preflight({ maxParallel: 4 })).toMatchObject({ maxParallel: 4, warnings: [] });
  });

  test('a region that a job names is the only one that counts, and must be one of the app', async () => {
    const both = aci({ ACI_REGIONS: 'westeurope,northeurope' });
    const { maxParallel, warnings } = await both.preflight({ maxParallel: 4, region: 'northeurope' });
    expect({ maxParallel, warnings: warnings.join() }).toMatchObject({
      maxParallel: 2,
      warnings: expect.not.stringContaining('westeurope') as string,
    });
    await expect(both.preflight({ region: 'mars' })).rejects.toMatchObject({
      blame: 'user',
      noRoom: false,
      message: expect.stringMatching(
        /no containers in the region "mars".*ACI_REGIONS \(westeurope, northeurope\)/,
      ) as string,
    });
    await expect(aci({ ACI_CPU: '8' }).preflight({ region: 'westeurope' })).rejects.toMatchObject({
      noRoom: true,
      message: expect.stringMatching(/^The region westeurope cannot hold a container of 8 cores/) as string,
    });
  });

  test('a job that does not say gets what fits, without a warning', async () => {
    expect(await aci({ ACI_CPU: '4' }).preflight({})).toMatchObject({ maxParallel: 1, warnings: [] });
  });

  test('a container that no quota can ever hold is refused with the numbers', async () => {
    await expect(aci({ ACI_CPU: '8' }).preflight({})).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringContaining('StandardCores of westeurope: 0 of 4 in use') as string,
    });
  });

  test('a job says how much memory its containers have, and may have twice as much when that is not enough', async () => {
    azure.emulator.azure.largest = { maxCpu: 4, maxMemoryInGB: 16 };
    const memory = async (memoryGb?: number) => (await aci().preflight({ memoryGb })).memory;
    expect(await memory()).toEqual({ gb: 4, moreGb: 8 });
    expect(await memory(12)).toEqual({ gb: 12, moreGb: 16 });
    expect(await memory(16)).toEqual({ gb: 16 });
    await expect(memory(17)).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringMatching(/17 GB: .* 16 GB at most.*"compute.memoryGb"/) as string,
    });
  });

  test('a container that is larger than any region takes is refused with the numbers', async () => {
    const large = aci({ ACI_MEMORY_GB: '32', ACI_REGIONS: 'westeurope,tiny' });
    azure.emulator.azure.largest = { maxCpu: 4, maxMemoryInGB: 16 };
    await expect(large.preflight({})).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringMatching(
        /2 cores and 32 GB.*westeurope takes 4 cores and 16 GB.*tiny takes 4 cores and 16 GB.*ACI_MEMORY_GB/,
      ) as string,
    });
    azure.emulator.azure.largest = { maxCpu: 31, maxMemoryInGB: 240 };
    expect((await large.preflight({})).warnings).toEqual([]);
  });

  test('quotas that others use at the moment make the job wait, not fail', async () => {
    const first = launchOf(FOREVER);
    const second = launchOf(FOREVER);
    await aci().launch(first);
    await aci().launch(second);
    const { maxParallel, warnings } = await aci().preflight({ maxParallel: 2 });
    expect(maxParallel).toBe(1);
    expect(warnings[0]).toContain('StandardCores of westeurope: 4 of 4 in use');
    await expect(aci().launch(launchOf(FOREVER))).rejects.toMatchObject({
      blame: 'platform',
      message: expect.stringContaining('limit 4, in use 4, asked for 2') as string,
    });
    await aci().remove(first.name);
    await aci().remove(second.name);
  });

  test('creates that are used up make the job wait, with the number in the warning', async () => {
    const store = memoryLedgers();
    const few = aciCompute(azure.emulator.url, { ACI_REGIONS: 'westus2' }, store);
    const creates = Array.from({ length: 89 }, () => Date.now());
    await store.update('00000000-0000-0000-0000-000000000000-westus2', (ledger) => ({ ...ledger, creates }));
    const { maxParallel, warnings } = await few.preflight({ maxParallel: 2 });
    expect(maxParallel).toBe(1);
    expect(warnings[0]).toContain('creates of westus2: 1 left now');
  });

  test('a GPU that is required is refused with the date and the ways out', async () => {
    await expect(aci().preflight({ gpu: 'require' })).rejects.toThrow(
      /no region of ACI_REGIONS \(westeurope\) has a GPU.*2025-07-14.*Consumption-GPU-NC8as-T4/,
    );
  });

  test('a GPU that is preferred gives way to the CPU, with a warning', async () => {
    const { warnings } = await aci().preflight({ gpu: 'prefer' });
    expect(warnings[0]).toMatch(/so it runs on CPU/);
  });
});

describe('a GPU that a region lists', () => {
  const CUDA = { ACI_GPU_IMAGE: 'example.azurecr.io/scorer-cuda:1' };
  beforeEach(() => {
    azure.emulator.azure.gpu = 'V100';
  });
  afterEach(() => {
    azure.emulator.azure.gpu = undefined;
  });

  test.each(['require', 'prefer'] as const)('is handed to a job that says "%s", with time to start', async (gpu) => {
    const found = await aci(CUDA).preflight({ gpu, maxParallel: 2 });
    expect(found).toMatchObject({ gpu: true, maxParallel: 2, warnings: [] });
    expect(found.provisionSeconds).toBeGreaterThanOrEqual(20 * 60);
  });

  test('goes to no job that does not ask', async () => {
    expect((await aci(CUDA).preflight({})).gpu).not.toBe(true);
  });

  test.each([
    ['without an image with CUDA', {}, 'set ACI_GPU_IMAGE'],
    ['for Spot containers', { ...CUDA, ACI_SPOT: 'true' }, 'unset ACI_SPOT'],
    ['in a subnet', { ...CUDA, ACI_SUBNET_ID: '/subscriptions/x/subnets/y' }, 'unset ACI_SUBNET_ID'],
  ])('is refused %s, or replaced by the CPU with a warning', async (_, settings, remedy) => {
    await expect(aci(settings).preflight({ gpu: 'require' })).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringContaining(remedy) as string,
    });
    const { gpu, warnings } = await aci(settings).preflight({ gpu: 'prefer' });
    expect(gpu).not.toBe(true);
    expect(warnings[0]).toMatch(/so it runs on CPU.*V100 in westeurope/);
  });

  test('gives no container more cores and memory than Azure gives with it, and says so', async () => {
    const large = { ...CUDA, ACI_CPU: '8', ACI_MEMORY_GB: '200' };
    expect((await aci(large).preflight({ gpu: 'require' })).warnings).toEqual([
      expect.stringContaining(
        '1 GPU of the kind V100 in westeurope gets 6 cores and 112 GB instead of 8 cores and 200 GB',
      ),
    ]);
    const request = launchOf(FOREVER, { gpu: true });
    await aci(large).launch(request);
    const { properties } = azure.emulator.azure.groups.get(request.name)?.body ?? {};
    expect(properties?.containers[0]?.properties).toMatchObject({
      image: CUDA.ACI_GPU_IMAGE,
      resources: { requests: { cpu: 6, memoryInGB: 112, gpu: { count: 1, sku: 'V100' } } },
    });
    await aci(large).remove(request.name);
  });
});

describe('the quota of a kind of GPU', () => {
  const withQuota = useEmulator({ quotas: { ContainerGroups: 10, StandardCores: 100, V100Cores: 4 } });
  const onGpu = (more: NodeJS.ProcessEnv = {}) =>
    aciCompute(withQuota.emulator.url, {
      ACI_GPU_IMAGE: 'example.azurecr.io/cuda:1',
      ACI_REGIONS: 'westeurope',
      ...more,
    });

  test('decides how many containers run at once; a used-up one is waited for', async () => {
    withQuota.emulator.azure.gpu = 'V100';
    const { maxParallel, warnings } = await onGpu().preflight({ gpu: 'require', maxParallel: 8 });
    expect(maxParallel).toBe(2);
    expect(warnings[0]).toContain('V100Cores of westeurope: 0 of 4 in use');
    for (const _ of [1, 2]) await onGpu().launch(launchOf(FOREVER, { gpu: true }));
    await expect(onGpu().launch(launchOf(FOREVER, { gpu: true }))).rejects.toMatchObject({ blame: 'platform' });
  });

  test('that never allows one container refuses the job with the numbers and the way out', async () => {
    withQuota.emulator.azure.gpu = 'V100';
    await expect(onGpu({ ACI_CPU: '6' }).preflight({ gpu: 'require' })).rejects.toThrow(
      /V100Cores of westeurope: \d of 4 in use.*2025-07-14.*container-apps/,
    );
  });

  test('does not matter where the region has another kind, and too few GPUs at a time are none', async () => {
    withQuota.emulator.azure.gpu = 'K80';
    expect(await onGpu().preflight({ gpu: 'require', maxParallel: 8 })).toMatchObject({ gpu: true, maxParallel: 8 });
    withQuota.emulator.azure.gpu = undefined;
    await expect(onGpu({ ACI_GPU_COUNT: '4' }).preflight({ gpu: 'require' })).rejects.toThrow(/containers of 4 GPUs/);
  });
});

describe('the rights of the app’s identity', () => {
  const ID = '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers';
  const grant = (actions: string[], notActions: string[] = []) => {
    azure.emulator.azure.permissions = [{ actions, notActions }];
  };
  afterEach(() => grant(['*']));

  test('that do not cover what it has to do are refused by name before anything is spent', async () => {
    grant(['*/read']);
    await expect(aci().preflight({})).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringMatching(
        /containerGroups\/write on \/subscriptions\/.*\/resourceGroups\/rg; .*Contributor/,
      ) as string,
    });
    grant(['*'], ['Microsoft.ContainerInstance/*/delete']);
    await expect(aci().preflight({})).rejects.toThrow('containerGroups/delete');
  });

  test('on the subnet and the identity are asked for when these are set', async () => {
    grant(['microsoft.containerinstance/*']);
    expect((await aci().preflight({})).warnings).toEqual([]);
    const subnet = `${ID}/Microsoft.Network/virtualNetworks/net/subnets/aci`;
    await expect(aci({ ACI_SUBNET_ID: subnet }).preflight({})).rejects.toThrow('subnets/join/action');
    const identity = `${ID}/Microsoft.ManagedIdentity/userAssignedIdentities/pull`;
    await expect(aci({ ACI_IDENTITY_ID: identity }).preflight({})).rejects.toThrow('ACI_IDENTITY_ID');
  });

  test('suffice when they are those that the deployment gives it, without one on the subscription', async () => {
    grant(deployedActions());
    const places = {
      ACI_REGIONS: 'northeurope',
      ACI_SUBNET_ID: `${ID}/Microsoft.Network/virtualNetworks/net/subnets/aci`,
      ACI_IDENTITY_ID: `${ID}/Microsoft.ManagedIdentity/userAssignedIdentities/pull`,
    };
    // Sizes and quotas of a region belong to the subscription.
    const refusal = { on: 'USAGE', of: 'northeurope', status: 403, code: 'AuthorizationFailed' } as const;
    azure.emulator.faults.add({ ...refusal, times: 2 });
    expect(await aci(places).preflight({ maxParallel: 8 })).toMatchObject({ maxParallel: 8, warnings: [] });
    azure.emulator.faults.add(refusal);
    await expect(aci(places).preflight({ gpu: 'require' })).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringContaining('Microsoft.ContainerInstance/locations/capabilities/read') as string,
    });
  });

  test('that Azure does not tell are taken as given', async () => {
    grant([]);
    azure.emulator.faults.add({ on: 'RIGHTS', status: 403, code: 'AuthorizationFailed' });
    expect((await aci().preflight({})).warnings).toEqual([]);
  });
});

describe('the image', () => {
  const registry = useRegistry();

  test('that the registry does not have is refused by the setting that names it', async () => {
    await expect(aci({ ACI_IMAGE: registry.image('scorer:9') }).preflight({})).rejects.toThrow('correct ACI_IMAGE');
    expect((await aci({ ACI_IMAGE: registry.image('scorer:1') }).preflight({})).warnings).toEqual([]);
  });

  test('whose registry is away is warned of', async () => {
    const { warnings } = await aci({ ACI_IMAGE: '127.0.0.1:9/scorer:1' }).preflight({});
    expect(warnings).toEqual([expect.stringContaining('did not reach')]);
  });
});
