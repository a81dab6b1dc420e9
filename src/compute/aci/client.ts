import type { ContainerInstanceManagementClient } from '@azure/arm-containerinstance';
import { accessArm, prepareClient } from '../arm.js';
import type { AciSettings } from './settings.js';

/** The SDK's client, made at the first use, since it takes a while to load. */
export function lazyClient(settings: AciSettings, timeout?: number): () => Promise<ContainerInstanceManagementClient> {
  let client: Promise<ContainerInstanceManagementClient> | undefined;
  return () => (client ??= open(settings, timeout));
}

async function open(
  { endpoint, subscriptionId }: AciSettings,
  timeout?: number,
): Promise<ContainerInstanceManagementClient> {
  const { ContainerInstanceManagementClient } = await import('@azure/arm-containerinstance');
  const { credential, options } = await accessArm(endpoint);
  return prepareClient(new ContainerInstanceManagementClient(credential, subscriptionId, options), endpoint, timeout);
}
