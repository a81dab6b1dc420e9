import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { attachedNode } from '../processes/child-process.js';
import { choosePort, type Part, startOnFreePort, startPart } from './part.js';

const EMULATOR = fileURLToPath(new URL('./azure-emulator/main.js', import.meta.url));
const SCORER = fileURLToPath(new URL('../scorer/bundle/main.js', import.meta.url));
const USUAL_PORT = 7171;
const SUBSCRIPTION = '00000000-0000-0000-0000-000000000000';

export interface AzureEmulator extends Part {
  url: string;
  /** The settings with which the app takes the emulator for Azure. */
  settings: Record<string, string>;
}

/** Starts the stand-in for Azure Container Instances and Container Apps; its containers are scorer processes that end with it. */
export async function startAzureEmulator(folder: string, env: NodeJS.ProcessEnv): Promise<AzureEmulator> {
  const part = await startOnFreePort(async (above) =>
    startPart({
      title: 'The Azure emulator',
      script: EMULATOR,
      args: [String(await choosePort(USUAL_PORT + above)), process.execPath, ...attachedNode(), SCORER],
      env,
      logFile: path.join(folder, 'azure-emulator.log'),
      ready: /listening on (http:\/\/\S+)/,
    }),
  );
  const url = part.ready[1] ?? '';
  return { ...part, url, settings: settingsFor(url) };
}

const settingsFor = (url: string) => ({
  ACI_ENDPOINT: url,
  AZURE_SUBSCRIPTION_ID: SUBSCRIPTION,
  ACI_RESOURCE_GROUP: 'emulated',
  ACI_REGIONS: 'emulated',
  ACI_IMAGE: 'emulated/scorer',
  ACI_GPU_IMAGE: 'emulated/scorer-cuda',
  ACI_GPU_COUNT: '2',
  ACI_CPU: '1',
  ACI_POLL_SECONDS: '0.3',
  CONTAINER_APPS_ENDPOINT: url,
  CONTAINER_APPS_ENVIRONMENT_ID: `/subscriptions/${SUBSCRIPTION}/resourceGroups/emulated/providers/Microsoft.App/managedEnvironments/emulated`,
  CONTAINER_APPS_IMAGE: 'emulated/scorer',
  CONTAINER_APPS_CPU: '1',
  CONTAINER_APPS_POLL_SECONDS: '0.3',
});
