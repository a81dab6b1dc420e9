import type { ContainerAppsAPIClient } from '@azure/arm-appcontainers';
import { accessArm, prepareClient } from '../arm.js';
import type { ContainerAppsSettings } from './settings.js';

/** The SDK's client, made at the first use, since it takes a while to load. */
export function lazyClient(settings: ContainerAppsSettings, timeout?: number): () => Promise<ContainerAppsAPIClient> {
  let client: Promise<ContainerAppsAPIClient> | undefined;
  return () => (client ??= open(settings, timeout));
}

async function open(
  { endpoint, environment }: ContainerAppsSettings,
  timeout?: number,
): Promise<ContainerAppsAPIClient> {
  const { ContainerAppsAPIClient } = await import('@azure/arm-appcontainers');
  const { credential, options } = await accessArm(endpoint);
  return prepareClient(new ContainerAppsAPIClient(credential, environment.subscriptionId, options), endpoint, timeout);
}
