import type { TokenCredential } from '@azure/identity';
import { JobError } from '../../job/failure.js';

const VERSION = '2022-04-01';
const TIMEOUT_MS = 10_000;

/** What the app has to be allowed to do somewhere. */
export interface Need {
  /** Resource id. */
  scope: string;
  actions: string[];
  /** What to do when it is not allowed, as the end of a sentence. */
  remedy: string;
}

/** Need of every compute that gives its containers an identity. @param setting that names the identity. */
export const toAssign = (identityId: string, setting: string): Need => ({
  scope: identityId,
  actions: ['Microsoft.ManagedIdentity/userAssignedIdentities/assign/action'],
  remedy: `grant it Managed Identity Operator there, or correct ${setting}`,
});

/** What a role assignment allows at a scope, as Azure's `Microsoft.Authorization/permissions` lists it. */
interface Permission {
  actions?: string[];
  notActions?: string[];
}

/**
 * Asks Azure what the app's own identity may do where it has to act. Where Azure does not tell, the check passes: the launch
 * itself finds out.
 * @throws JobError `user` that names the first right that is missing.
 */
export async function checkRights(endpoint: string, login: TokenCredential, needs: Need[]): Promise<void> {
  const told = await Promise.all(needs.map(({ scope }) => permissionsAt(endpoint, login, scope)));
  for (const [index, { scope, actions, remedy }] of needs.entries()) {
    const permissions = told[index];
    const missing = permissions && actions.find((action) => !allows(permissions, action));
    if (missing !== undefined)
      throw new JobError('user', `The app's identity lacks the right ${missing} on ${scope}; ${remedy}.`);
  }
}

/** Undefined where Azure does not tell. */
async function permissionsAt(
  endpoint: string,
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

/** Whether some permission covers an action such as `Microsoft.ContainerInstance/containerGroups/write`. */
function allows(permissions: Permission[], action: string): boolean {
  const covers = (patterns: string[] | undefined) => patterns?.some((pattern) => matches(pattern, action)) ?? false;
  return permissions.some(({ actions, notActions }) => covers(actions) && !covers(notActions));
}

/**
 * `*` stands for any text; case does not count. Between slashes it may stand for nothing: Managed Identity Operator allows
 * `userAssignedIdentities/assign/action` by `userAssignedIdentities/*` with `/assign/action` behind it.
 */
function matches(pattern: string, action: string): boolean {
  const literal = (text: string) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  const parts = pattern.split('/*/').map((part) => part.split('*').map(literal).join('.*'));
  return new RegExp(`^${parts.join('/(?:.*/)?')}$`, 'i').test(action);
}
