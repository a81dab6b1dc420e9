import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ATTACHED_NODE } from '../processes/child-process.js';
import { type Part, startPart } from './part.js';
import { choosePort, startOnFreePort } from './ports.js';

const EMULATOR = fileURLToPath(new URL('../../azure-emulator/dist/main.js', import.meta.url));
const SCORER = fileURLToPath(new URL('../scorer/bundle/main.js', import.meta.url));
const USUAL_PORT = 7171;
const SUBSCRIPTION = '00000000-0000-0000-0000-000000000000';

export interface AzureEmulator extends Part {
  /** What makes the app take the emulator for Azure. */
  settings: Record<'ACI_ENDPOINT', string> & Record<string, string>;
}

/** Starts the stand-in for Azure Container Instances and Container Apps; its containers are scorer processes that end with it. */
export async function startAzureEmulator(folder: string, env: NodeJS.ProcessEnv): Promise<AzureEmulator> {
  const part = await startOnFreePort(() => launch(folder, env));
  return {
    ...part,
    settings: {
      ACI_ENDPOINT: part.ready[1] ?? '',
      AZURE_SUBSCRIPTION_ID: SUBSCRIPTION,
      ACI_RESOURCE_GROUP: 'emulated',
      ACI_REGIONS: 'emulated',
      ACI_IMAGE: 'emulated/scorer',
      ACI_CPU: '1',
      ACI_POLL_SECONDS: '0.3',
      CONTAINER_APPS_ENDPOINT: part.ready[1] ?? '',
      CONTAINER_APPS_ENVIRONMENT_ID: `/subscriptions/${SUBSCRIPTION}/resourceGroups/emulated/providers/Microsoft.App/managedEnvironments/emulated`,
      CONTAINER_APPS_IMAGE: 'emulated/scorer',
      CONTAINER_APPS_CPU: '1',
      CONTAINER_APPS_POLL_SECONDS: '0.3',
    },
  };
}

async function launch(folder: string, env: NodeJS.ProcessEnv): Promise<Part> {
  const port = await choosePort(USUAL_PORT, undefined, 'the Azure emulator', '');
  return startPart({
    script: EMULATOR,
    args: [String(port), process.execPath, ...ATTACHED_NODE, SCORER],
    env,
    logFile: path.join(folder, 'azure-emulator.log'),
    ready: /listening on (http:\/\/\S+)/,
    title: 'The Azure emulator',
  });
}
