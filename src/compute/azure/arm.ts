import type { ContainerAppsAPIClient } from '@azure/arm-appcontainers';
import { readAzureFault } from './fault.js';
import { isEmulated } from './login.js';

/** What every client of Azure's management SDKs is made with. */
export interface ClientOptions {
  endpoint: string;
  credentialScopes: string;
  allowInsecureConnection: boolean;
  retryOptions: { maxRetries: number };
}

/**
 * A client of a management SDK, made at the first use, since its library takes a while to load.
 * @param settings.requestSeconds after which the client gives up a request without an answer; the app then looks up what the
 * request did.
 */
export function lazyClient<T extends Pick<ContainerAppsAPIClient, 'pipeline'>>(
  settings: { endpoint: string; requestSeconds: number },
  make: (options: ClientOptions) => Promise<T>,
): () => Promise<T> {
  let client: Promise<T> | undefined;
  return () => (client ??= open(settings, make));
}

async function open<T extends Pick<ContainerAppsAPIClient, 'pipeline'>>(
  { endpoint, requestSeconds }: { endpoint: string; requestSeconds: number },
  make: (options: ClientOptions) => Promise<T>,
): Promise<T> {
  const client = await make({
    endpoint,
    credentialScopes: `${new URL(endpoint).origin}/.default`,
    allowInsecureConnection: isEmulated(endpoint),
    // None: the SDK would repeat a request whose answer was lost, and so start a container's work twice.
    retryOptions: { maxRetries: 0 },
  });
  // The SDK refuses to send a token over plain http.
  if (isEmulated(endpoint)) client.pipeline.removePolicy({ name: 'bearerTokenAuthenticationPolicy' });
  client.pipeline.addPolicy({
    name: 'timeout',
    sendRequest: (request, next) => {
      request.timeout = requestSeconds * 1000;
      return next(request);
    },
  });
  return client;
}

/**
 * What Azure tells; undefined where the app's identity may not ask. Sizes and quotas of a region belong to the subscription, on which the
 * identity needs no rights otherwise.
 */
export async function ifAllowed<T>(ask: Promise<T>): Promise<T | undefined> {
  try {
    return await ask;
  } catch (error) {
    if (readAzureFault(error).status === 403) return undefined;
    throw error;
  }
}

/** What `get` finds; undefined when there is no such resource. A missing group or subscription is an error. */
export async function orMissing<T>(get: Promise<T>): Promise<T | undefined> {
  try {
    return await get;
  } catch (error) {
    const { status, code } = readAzureFault(error);
    if (status === 404 && code !== 'ResourceGroupNotFound' && code !== 'SubscriptionNotFound') return undefined;
    throw error;
  }
}
