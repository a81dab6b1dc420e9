import type { ContainerInstanceManagementClient } from '@azure/arm-containerinstance';
import { createLogin } from '../../login.js';
import type { AciSettings } from './settings.js';

/** None: the SDK would send a PUT again whose answer was lost, and so start a container's work twice. The orchestrator retries. */
const RETRIES = 0;

/**
 * The SDK's client, made at the first use, since its library takes a while to load. An ARM on this machine over plain http gets none, as the SDK
 * refuses to send a token there.
 */
export function lazyClient(settings: AciSettings): () => Promise<ContainerInstanceManagementClient> {
  let client: Promise<ContainerInstanceManagementClient> | undefined;
  return () => (client ??= open(settings));
}

async function open({ endpoint, subscriptionId }: AciSettings): Promise<ContainerInstanceManagementClient> {
  const { ContainerInstanceManagementClient } = await import('@azure/arm-containerinstance');
  const options = { endpoint, retryOptions: { maxRetries: RETRIES } };
  if (endpoint.startsWith('http://')) {
    const none = { getToken: () => Promise.resolve(null) };
    const client = new ContainerInstanceManagementClient(none, subscriptionId, {
      ...options,
      allowInsecureConnection: true,
    });
    client.pipeline.removePolicy({ name: 'bearerTokenAuthenticationPolicy' });
    return client;
  }
  return new ContainerInstanceManagementClient(createLogin(), subscriptionId, {
    ...options,
    credentialScopes: `${new URL(endpoint).origin}/.default`,
  });
}
