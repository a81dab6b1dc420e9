import type { ContainerInstanceManagementClient } from '@azure/arm-containerinstance';
import type { TokenCredential } from '@azure/identity';
import { armOptions, prepareClient } from '../azure/arm.js';
import type { AciSettings } from './settings.js';

/** The SDK's client, made at the first use, since it takes a while to load. */
export function lazyClient(
  settings: AciSettings,
  login: TokenCredential,
  timeout?: number,
): () => Promise<ContainerInstanceManagementClient> {
  let client: Promise<ContainerInstanceManagementClient> | undefined;
  return () => (client ??= open(settings, login, timeout));
}

async function open(
  { endpoint, subscriptionId }: AciSettings,
  login: TokenCredential,
  timeout?: number,
): Promise<ContainerInstanceManagementClient> {
  const { ContainerInstanceManagementClient } = await import('@azure/arm-containerinstance');
  const client = new ContainerInstanceManagementClient(login, subscriptionId, armOptions(endpoint));
  return prepareClient(client, endpoint, timeout);
}
