import { describe, expect, test } from 'vitest';
import { CreateBudget } from '../../src/compute/aci/create-budget.js';
import { createAciCompute } from '../../src/compute/aci/provider.js';
import { ACI_IS_NOT_SET, readAciSettings } from '../../src/compute/aci/settings.js';
import { createUnconfigured } from '../../src/compute/unconfigured.js';
import { aciSettings, FOREVER, launchOf, useEmulator } from '../support/aci.js';

const azure = useEmulator({ quotas: { ContainerGroups: 3, StandardCores: 4 } });
const aci = (more: NodeJS.ProcessEnv = {}) =>
  createAciCompute(aciSettings(azure.emulator.url, { ACI_REGIONS: 'westeurope', ...more }));

describe('before a job starts', () => {
  test('the quotas decide how many containers run at once, and the warning has the numbers', async () => {
    const { maxParallel, warnings } = await aci().preflight({ maxParallel: 8 });
    expect(maxParallel).toBe(2);
    expect(warnings).toEqual([
      "Azure's quotas leave room for 2 containers (ContainerGroups of westeurope: 0 of 3 in use, StandardCores of westeurope: 0 of 4 in use), so 2 instead of 8 run at once.",
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
      kind: 'user',
      message: expect.stringContaining('StandardCores of westeurope: 0 of 4 in use') as string,
    });
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
      kind: 'platform',
      message: expect.stringContaining('limit 4, in use 4, asked for 2') as string,
    });
    await aci().remove(first.name);
    await aci().remove(second.name);
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
});

describe('the creates that Azure allows', () => {
  const headers = (values: Record<string, string>) => ({ get: (name: string) => values[name] });
  const PT5M = 'x-ms-ratelimit-remaining-subscription-resource-requests-pt5m';

  test('are not tried while none is left, and again when their time is over', () => {
    let now = 0;
    const budget = new CreateBudget(() => now);
    budget.note('westeurope', 201, headers({ [PT5M]: '0' }));
    now = 100_000;
    expect(budget.refusal('westeurope')?.message).toContain(
      'per 5 minutes are used up; the batch waits up to 200 seconds',
    );
    expect(budget.refusal('northeurope')).toBeUndefined();
    now = 301_000;
    expect(budget.refusal('westeurope')).toBeUndefined();
  });

  test('are tried while some are left', () => {
    const budget = new CreateBudget(() => 0);
    budget.note('westeurope', 201, headers({ [PT5M]: '1' }));
    expect(budget.refusal('westeurope')).toBeUndefined();
  });
});

describe('the settings', () => {
  test('that are all missing leave the compute out, and a job that asks for it is told which to set', async () => {
    expect(readAciSettings({ AZURE_SUBSCRIPTION_ID: 'of something else' })).toBeUndefined();
    const refused = createUnconfigured(ACI_IS_NOT_SET).preflight({});
    await expect(refused).rejects.toThrow('set AZURE_SUBSCRIPTION_ID, ACI_RESOURCE_GROUP, ACI_REGIONS, ACI_IMAGE');
  });

  test.each([
    [{ ACI_IMAGE: '' }, 'The setting ACI_IMAGE is missing.'],
    [
      { AZURE_SUBSCRIPTION_ID: 'x' },
      'The setting AZURE_SUBSCRIPTION_ID must be the 36 characters of a subscription id.',
    ],
    [{ ACI_REGIONS: 'West Europe' }, 'The setting ACI_REGIONS must name regions as in westeurope,swedencentral.'],
    [{ ACI_CPU: 'many' }, 'The setting ACI_CPU must be a number from 0.1 to 31.'],
    [{ ACI_MEMORY_GB: '900' }, 'The setting ACI_MEMORY_GB must be a number from 0.5 to 240.'],
    [{ ACI_SPOT: 'yes' }, 'The setting ACI_SPOT must be true or false.'],
    [{ ACI_IDENTITY_ID: 'me' }, 'The setting ACI_IDENTITY_ID must be a resource id that starts with /subscriptions/.'],
    [
      { ACI_ENDPOINT: 'http://example.com' },
      'The setting ACI_ENDPOINT must begin with https:// unless it is on this machine.',
    ],
  ])('%j is refused by name', (wrong, sentence) => {
    expect(() => aciSettings('http://127.0.0.1:1', wrong)).toThrow(sentence);
  });
});
