import type { ContainerAppsAPIClient } from '@azure/arm-appcontainers';
import type { TokenCredential } from '@azure/identity';
import { readAzureFault } from './fault.js';
import { createLogin } from './login.js';

/** Milliseconds: a request to Azure Resource Manager without an answer is given up, and what it did is looked up. */
const TIMEOUT_MS = 60_000;

const NO_LOGIN: TokenCredential = { getToken: () => Promise.resolve(null) };

/** An Azure on this machine, which is an emulation, speaks plain http and takes no token. */
export const isEmulated = (endpoint: string) => !endpoint.startsWith('https://');

/** How the app logs in to Azure Resource Manager. */
export const loginTo = (endpoint: string): TokenCredential => (isEmulated(endpoint) ? NO_LOGIN : createLogin());

/** What every client of Azure's management SDKs is made with here. */
export const armOptions = (endpoint: string) => ({
  endpoint,
  credentialScopes: `${new URL(endpoint).origin}/.default`,
  allowInsecureConnection: isEmulated(endpoint),
  // None: the SDK would send a request again whose answer was lost, and so start a container's work twice.
  retryOptions: { maxRetries: 0 },
});

/** Bounds every request of a client in time, and leaves the token out over plain http. */
export function prepareClient<T extends Pick<ContainerAppsAPIClient, 'pipeline'>>(
  client: T,
  endpoint: string,
  timeout = TIMEOUT_MS,
): T {
  if (isEmulated(endpoint)) client.pipeline.removePolicy({ name: 'bearerTokenAuthenticationPolicy' });
  client.pipeline.addPolicy({
    name: 'timeout',
    sendRequest: (request, next) => {
      request.timeout = timeout;
      return next(request);
    },
  });
  return client;
}

/** What `get` finds; undefined when there is no such resource. That its whole group is missing is an error. */
export async function orMissing<T>(get: Promise<T>): Promise<T | undefined> {
  try {
    return await get;
  } catch (error) {
    const { status, code } = readAzureFault(error);
    if (status === 404 && code !== 'ResourceGroupNotFound' && code !== 'SubscriptionNotFound') return undefined;
    throw error;
  }
}
