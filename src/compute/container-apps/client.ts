import type { ContainerAppsAPIClient } from '@azure/arm-appcontainers';
import type { TokenCredential } from '@azure/identity';
import { armOptions, prepareClient } from '../azure/arm.js';
import type { ContainerAppsSettings } from './settings.js';

/** The SDK's client, made at the first use, since it takes a while to load. */
export function lazyClient(
  settings: ContainerAppsSettings,
  login: TokenCredential,
  timeout?: number,
): () => Promise<ContainerAppsAPIClient> {
  let client: Promise<ContainerAppsAPIClient> | undefined;
  return () => (client ??= open(settings, login, timeout));
}

async function open(
  { endpoint, environment }: ContainerAppsSettings,
  login: TokenCredential,
  timeout?: number,
): Promise<ContainerAppsAPIClient> {
  const { ContainerAppsAPIClient } = await import('@azure/arm-appcontainers');
  const client = new ContainerAppsAPIClient(login, environment.subscriptionId, armOptions(endpoint));
  return prepareClient(client, endpoint, timeout);
}
