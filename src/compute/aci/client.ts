import type { ContainerInstanceManagementClient } from '@azure/arm-containerinstance';
import type { TokenCredential } from '@azure/identity';
import { createLogin } from '../../login.js';
import type { AciSettings } from './settings.js';

/** None: the SDK would send a PUT again whose answer was lost, and so start a container's work twice. The orchestrator retries. */
const RETRIES = 0;

/** An Azure on this machine, which is an emulation, takes no token. */
export const isEmulated = ({ endpoint }: AciSettings) => endpoint.startsWith('http://');

/** How the app logs in to Azure Resource Manager. */
export const loginTo = (settings: AciSettings): TokenCredential =>
  isEmulated(settings) ? { getToken: () => Promise.resolve(null) } : createLogin();

/**
 * The SDK's client, made at the first use, since its library takes a while to load. An ARM on this machine over plain http gets none, as the SDK
 * refuses to send a token there.
 */
export function lazyClient(
  settings: AciSettings,
  login: TokenCredential,
): () => Promise<ContainerInstanceManagementClient> {
  let client: Promise<ContainerInstanceManagementClient> | undefined;
  return () => (client ??= open(settings, login));
}

async function open(settings: AciSettings, login: TokenCredential): Promise<ContainerInstanceManagementClient> {
  const { endpoint, subscriptionId } = settings;
  const { ContainerInstanceManagementClient } = await import('@azure/arm-containerinstance');
  const options = { endpoint, retryOptions: { maxRetries: RETRIES } };
  if (isEmulated(settings)) {
    const client = new ContainerInstanceManagementClient(login, subscriptionId, {
      ...options,
      allowInsecureConnection: true,
    });
    client.pipeline.removePolicy({ name: 'bearerTokenAuthenticationPolicy' });
    return client;
  }
  return new ContainerInstanceManagementClient(login, subscriptionId, {
    ...options,
    credentialScopes: `${new URL(endpoint).origin}/.default`,
  });
}
