import type { ContainerAppsAPIClient } from '@azure/arm-appcontainers';
import type { TokenCredential } from '@azure/identity';

/** Milliseconds: a request to Azure Resource Manager without an answer is given up, and what it did is looked up. */
const TIMEOUT_MS = 60_000;

/** How a client of Azure's management SDKs is made here. */
export interface ArmAccess {
  credential: TokenCredential;
  options: {
    endpoint: string;
    credentialScopes: string;
    allowInsecureConnection: boolean;
    retryOptions: { maxRetries: number };
  };
}

const NO_LOGIN: TokenCredential = { getToken: () => Promise.resolve(null) };

/**
 * A managed identity or a developer's login serves as credential. An ARM on this machine over plain http gets none, as the
 * SDK refuses to send a token there. The login library is loaded only when needed: it takes a third of a second.
 */
export async function accessArm(endpoint: string): Promise<ArmAccess> {
  const secure = endpoint.startsWith('https://');
  const credential = secure ? new (await import('@azure/identity')).DefaultAzureCredential() : NO_LOGIN;
  const options = {
    endpoint,
    credentialScopes: `${new URL(endpoint).origin}/.default`,
    allowInsecureConnection: !secure,
    // None: the SDK would send a request again whose answer was lost, and so start a container's work twice.
    retryOptions: { maxRetries: 0 },
  };
  return { credential, options };
}

/** Bounds every request of a client in time, and leaves the token out over plain http. */
export function prepareClient<T extends Pick<ContainerAppsAPIClient, 'pipeline'>>(
  client: T,
  endpoint: string,
  timeout = TIMEOUT_MS,
): T {
  if (!endpoint.startsWith('https://')) client.pipeline.removePolicy({ name: 'bearerTokenAuthenticationPolicy' });
  client.pipeline.addPolicy({
    name: 'timeout',
    sendRequest: (request, next) => {
      request.timeout = timeout;
      return next(request);
    },
  });
  return client;
}
