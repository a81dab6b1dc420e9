import { createContainerAppsCompute } from '../../src/compute/container-apps/provider.js';
import { type ContainerAppsSettings, readContainerAppsSettings } from '../../src/compute/container-apps/settings.js';
import type { ComputeProvider } from '../../src/compute/provider.js';
import { makeSealingKey } from '../../src/container-contract/sealing.js';
import type { TestAzure } from './aci.js';

export const ENVIRONMENT =
  '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.App/managedEnvironments/apps';

/** The app gives up a request without an answer soon. */
const REQUEST_SECONDS = '3';

/** Settings of an app whose Azure is at this address; `more` replaces or adds some. */
export function containerAppsSettings(endpoint: string, more: NodeJS.ProcessEnv = {}): ContainerAppsSettings {
  const settings = readContainerAppsSettings({
    CONTAINER_APPS_ENVIRONMENT_ID: ENVIRONMENT,
    CONTAINER_APPS_IMAGE: 'example.azurecr.io/scorer:1',
    CONTAINER_APPS_POLL_SECONDS: '0.1',
    CONTAINER_APPS_REQUEST_SECONDS: REQUEST_SECONDS,
    CONTAINER_APPS_ENDPOINT: endpoint,
    ...more,
  });
  if (!settings) throw new Error('The settings are complete.');
  return settings;
}

const key = makeSealingKey();

/** The compute as a host that has just started makes it. */
export const containerApps = (azure: TestAzure, more: NodeJS.ProcessEnv = {}, endpoint?: string): ComputeProvider =>
  createContainerAppsCompute(containerAppsSettings(endpoint ?? azure.emulator.url, more), () => Promise.resolve(key));

/** Launch names of the executions that have not ended. */
export const liveExecutions = (azure: TestAzure): string[] =>
  azure.emulator.apps.executions.filter(({ isLive }) => isLive).map(({ template }) => launchName(template));

export const launchName = ({ containers }: { containers: { env?: { name: string; value?: string }[] }[] }): string =>
  containers[0]?.env?.find(({ name }) => name === 'SCORER_LAUNCH')?.value ?? '';
