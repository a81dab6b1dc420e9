import type { TokenCredential } from '@azure/identity';
import { allows, type Permission } from '../../job/azure-permissions.js';
import { JobError } from '../../job/failure.js';
import type { AciSettings } from './settings.js';

const VERSION = '2022-04-01';
const TIMEOUT_MS = 10_000;
const GROUP = 'Microsoft.ContainerInstance/containerGroups';

interface Need {
  /** Resource id. */
  scope: string;
  actions: string[];
  remedy: string;
}

function needsOf({ subscriptionId, resourceGroup, subnetId, identityId }: AciSettings): Need[] {
  const needs: Need[] = [
    {
      scope: `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`,
      actions: [`${GROUP}/read`, `${GROUP}/write`, `${GROUP}/delete`, `${GROUP}/containers/logs/read`],
      remedy: 'grant it Contributor there',
    },
  ];
  if (subnetId !== undefined)
    needs.push({
      scope: subnetId,
      actions: ['Microsoft.Network/virtualNetworks/subnets/join/action'],
      remedy: 'grant it Network Contributor there, or correct ACI_SUBNET_ID',
    });
  if (identityId !== undefined)
    needs.push({
      scope: identityId,
      actions: ['Microsoft.ManagedIdentity/userAssignedIdentities/assign/action'],
      remedy: 'grant it Managed Identity Operator there, or correct ACI_IDENTITY_ID',
    });
  return needs;
}

/**
 * Asks Azure what the app's own identity may do where it has to act. Where Azure does not tell, nothing is refused.
 * @throws JobError `user` that names the first right that is missing.
 */
export async function checkRights(settings: AciSettings, login: TokenCredential): Promise<void> {
  await Promise.all(
    needsOf(settings).map(async ({ scope, actions, remedy }) => {
      const permissions = await permissionsAt(settings, login, scope);
      const missing = permissions && actions.find((action) => !allows(permissions, action));
      if (missing !== undefined)
        throw new JobError('user', `The app's identity lacks the right ${missing} on ${scope}; ${remedy}.`);
    }),
  );
}

async function permissionsAt(
  { endpoint }: AciSettings,
  login: TokenCredential,
  scope: string,
): Promise<Permission[] | undefined> {
  const token = await login.getToken(`${new URL(endpoint).origin}/.default`);
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token.token}` } : {};
  const found: Permission[] = [];
  let next: string | undefined =
    `${endpoint}${scope}/providers/Microsoft.Authorization/permissions?api-version=${VERSION}`;
  try {
    while (next !== undefined) {
      const answer: Response = await fetch(next, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (!answer.ok) return undefined;
      const page = (await answer.json()) as { value?: Permission[]; nextLink?: string };
      found.push(...(page.value ?? []));
      next = page.nextLink || undefined;
    }
  } catch {
    // No answer, or none in JSON: the launch itself will tell.
    return undefined;
  }
  return found;
}
