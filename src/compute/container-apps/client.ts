import type { ContainerAppsAPIClient } from '@azure/arm-appcontainers';
import { armOptions, loginTo, prepareClient } from '../arm.js';
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
  const client = new ContainerAppsAPIClient(loginTo(endpoint), environment.subscriptionId, armOptions(endpoint));
  return prepareClient(client, endpoint, timeout);
}
