import type { TokenCredential } from '@azure/identity';
import { azureJobError } from './verdict.js';

/**
 * The app's login to Azure: its managed identity, or a developer's `az login`. The library loads at the first use, since that
 * alone takes a third of a second.
 * @param clientId of a user-assigned identity; undefined: the system-assigned one, or the one that AZURE_CLIENT_ID names.
 */
export function createLogin(clientId?: string): TokenCredential {
  let credential: Promise<TokenCredential> | undefined;
  return {
    getToken: async (scopes, options) => {
      try {
        return await (await (credential ??= open(clientId))).getToken(scopes, options);
      } catch (error) {
        throw azureJobError(error);
      }
    },
  };
}

async function open(managedIdentityClientId?: string): Promise<TokenCredential> {
  const { DefaultAzureCredential } = await import('@azure/identity');
  return managedIdentityClientId === undefined
    ? new DefaultAzureCredential()
    : new DefaultAzureCredential({ managedIdentityClientId });
}

/** An Azure on this machine is an emulation: it speaks plain http and takes no token. */
export const isEmulated = (endpoint: string) => !endpoint.startsWith('https://');

const NO_LOGIN: TokenCredential = { getToken: () => Promise.resolve(null) };

/** How the app logs in to Azure Resource Manager. */
export const loginTo = (endpoint: string): TokenCredential => (isEmulated(endpoint) ? NO_LOGIN : createLogin());
