import { afterEach, describe, expect, test } from 'vitest';
import { aciCompute, FOREVER, launchOf, memoryLedgers, useEmulator } from '../../support/aci.js';
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
    expect(await both.preflight({ maxParallel: 4 })).toEqual({ maxParallel: 4, warnings: [] });
  });

  test('a job that does not say gets what fits, without a warning', async () => {
    expect(await aci({ ACI_CPU: '4' }).preflight({})).toEqual({ maxParallel: 1, warnings: [] });
  });

  test('a container that no quota can ever hold is refused with the numbers', async () => {
    await expect(aci({ ACI_CPU: '8' }).preflight({})).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringContaining('StandardCores of westeurope: 0 of 4 in use') as string,
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
      /No region of ACI_REGIONS \(westeurope\) has a GPU.*2025-07-14.*Consumption-GPU-NC8as-T4/,
    );
  });

  test('a GPU that is preferred gives way to the CPU, with a warning', async () => {
    const { warnings } = await aci().preflight({ gpu: 'prefer' });
    expect(warnings[0]).toMatch(/so the job runs on CPU/);
  });

  test('a GPU that a region says it has changes nothing: the retired kinds are too old for the scorer', async () => {
    azure.emulator.azure.gpu = 'V100';
    await expect(aci().preflight({ gpu: 'require' })).rejects.toThrow(
      /lists V100 in westeurope, .* cannot use.*2025-07-14/,
    );
    expect((await aci().preflight({ gpu: 'prefer' })).warnings[0]).toContain('so the job runs on CPU');
    azure.emulator.azure.gpu = undefined;
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
