import { describe, expect, test } from 'vitest';
import { readAciSettings } from '../../../src/compute/aci/settings.js';
import { readContainerAppsSettings } from '../../../src/compute/container-apps/settings.js';
import { aciSettings, notSetUp } from '../../support/aci.js';
import { containerAppsSettings } from '../../support/container-apps.js';

describe('the settings of container instances', () => {
  test('that are all missing leave the compute out, and a job that asks for it is told which to set', async () => {
    expect(readAciSettings({ AZURE_SUBSCRIPTION_ID: 'of something else' })).toBeUndefined();
    const refused = notSetUp().aci.preflight({});
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
    [{ ACI_SCRATCH_PATH: '/scratch' }, 'The setting ACI_SCRATCH_PATH has no effect'],
    [{ ACI_FILE_SHARE: 'pictures' }, 'The setting ACI_FILE_SHARE has no effect'],
    [{ ACI_GPU_COUNT: '3' }, 'The setting ACI_GPU_COUNT must be 1, 2 or 4.'],
    [{ ACI_IDENTITY_ID: 'me' }, 'The setting ACI_IDENTITY_ID must be a resource id that starts with /subscriptions/.'],
    [
      { ACI_ENDPOINT: 'http://example.com' },
      'The setting ACI_ENDPOINT must begin with https:// unless it is on this machine.',
    ],
  ])('%j is refused by name', (wrong, sentence) => {
    expect(() => aciSettings('http://127.0.0.1:1', wrong)).toThrow(sentence);
  });
});

describe('the settings of Container Apps', () => {
  test('that are all missing leave the compute out, and a job that asks for it is told which to set', async () => {
    expect(readContainerAppsSettings({ WEBSITE_SITE_NAME: 'app' })).toBeUndefined();
    const refused = notSetUp()['container-apps'].preflight({});
    await expect(refused).rejects.toThrow('set CONTAINER_APPS_ENVIRONMENT_ID, CONTAINER_APPS_IMAGE');
  });

  test('name the environment, whose resource group the jobs share unless it is said otherwise', () => {
    const { environment, resourceGroup } = containerAppsSettings('http://127.0.0.1:1');
    expect(environment).toMatchObject({ resourceGroup: 'rg', name: 'apps' });
    expect(resourceGroup).toBe('rg');
    const other = containerAppsSettings('http://127.0.0.1:1', { CONTAINER_APPS_RESOURCE_GROUP: 'jobs' });
    expect(other.resourceGroup).toBe('jobs');
  });

  test.each([
    [{ CONTAINER_APPS_IMAGE: '' }, 'The setting CONTAINER_APPS_IMAGE is missing.'],
    [
      { CONTAINER_APPS_ENVIRONMENT_ID: 'apps' },
      'The setting CONTAINER_APPS_ENVIRONMENT_ID must be a resource id as in',
    ],
    [{ CONTAINER_APPS_CPU: '5' }, 'The setting CONTAINER_APPS_CPU must be 0.25 to 4 in steps of 0.25.'],
    [{ CONTAINER_APPS_CPU: '0.3' }, 'The setting CONTAINER_APPS_CPU must be 0.25 to 4 in steps of 0.25.'],
    [{ CONTAINER_APPS_CPU: 'many' }, 'The setting CONTAINER_APPS_CPU must be 0.25 to 4 in steps of 0.25.'],
    [{ CONTAINER_APPS_GPU: 'V100' }, 'The setting CONTAINER_APPS_GPU must be T4 or A100.'],
    [{ CONTAINER_APPS_IDENTITY_ID: 'me' }, 'The setting CONTAINER_APPS_IDENTITY_ID must be a resource id'],
    [{ CONTAINER_APPS_POLL_SECONDS: '0' }, 'The setting CONTAINER_APPS_POLL_SECONDS must be a number from 0.1 to 60.'],
    [{ CONTAINER_APPS_ENDPOINT: 'http://example.com' }, 'The setting CONTAINER_APPS_ENDPOINT must begin with https://'],
  ])('%j is refused by name', (wrong, sentence) => {
    expect(() => containerAppsSettings('http://127.0.0.1:1', wrong)).toThrow(sentence);
  });
});
