/** What a role assignment allows at a scope, as Azure's `Microsoft.Authorization/permissions` lists it. */
export interface Permission {
  actions?: string[];
  notActions?: string[];
}

/** Whether some permission covers an action such as `Microsoft.ContainerInstance/containerGroups/write`. */
export function allows(permissions: Permission[], action: string): boolean {
  const covers = (patterns: string[] | undefined) => patterns?.some((pattern) => matches(pattern, action)) ?? false;
  return permissions.some(({ actions, notActions }) => covers(actions) && !covers(notActions));
}

/** `*` stands for any text; case does not count. */
function matches(pattern: string, action: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'i').test(action);
}
