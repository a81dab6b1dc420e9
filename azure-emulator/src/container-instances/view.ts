import type { Group } from './group.js';
import type { ContainerBody } from './wire.js';

/** Path of a group's resource in Azure Resource Manager. */
export const resourceId = (subscription: string, resourceGroup: string, name: string) =>
  `/subscriptions/${subscription}/resourceGroups/${resourceGroup}/providers/Microsoft.ContainerInstance/containerGroups/${name}`;

/**
 * A group as Azure gives it back: of a secure value only the name, no passwords, and an instance view only where the
 * call is for this one group. `fresh` is the answer to the PUT itself, whose containers have no instance view yet.
 */
export function viewGroup(group: Group, id: string, kind: 'fresh' | 'single' | 'listed'): object {
  const { name, body } = group;
  const { containers, imageRegistryCredentials, ...rest } = body.properties;
  const credentials = imageRegistryCredentials?.map(({ server, username, identity }) => ({
    server,
    ...(username === undefined ? {} : { username }),
    ...(identity === undefined ? {} : { identity }),
  }));
  const properties = {
    sku: 'Standard',
    provisioningState: group.provisioningState,
    ...rest,
    containers: containers.map((container) => viewContainer(container, kind === 'single' ? group : undefined)),
    initContainers: [],
    ...(credentials ? { imageRegistryCredentials: credentials } : {}),
    ...(kind === 'listed' ? {} : { instanceView: { events: group.groupEvents, state: group.state } }),
  };
  return {
    id,
    name,
    type: 'Microsoft.ContainerInstance/containerGroups',
    location: body.location,
    ...(body.tags ? { tags: body.tags } : {}),
    ...(body.zones ? { zones: body.zones } : {}),
    ...(body.identity ? { identity: body.identity } : {}),
    properties,
  };
}

function viewContainer({ name, properties }: ContainerBody, group: Group | undefined): object {
  const environmentVariables = (properties.environmentVariables ?? []).map((variable) =>
    variable.secureValue === undefined ? { name: variable.name, value: variable.value ?? '' } : { name: variable.name },
  );
  const currentState = group?.containerState;
  const instanceView =
    group && currentState
      ? { instanceView: { restartCount: group.restartCount, currentState, events: group.containerEvents } }
      : {};
  return { name, properties: { ...properties, environmentVariables, ...instanceView } };
}
