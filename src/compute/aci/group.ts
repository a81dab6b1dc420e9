import type { ContainerGroup } from '@azure/arm-containerinstance';
import type { LaunchRequest } from '../provider.js';
import type { AciSettings } from './settings.js';

/** Name of the one container of every group. */
export const CONTAINER = 'scorer';
/** Value of the tag `app`. */
export const APP = 'durable-batch-scoring';

/** The tags that say whose a group is and when it may be removed whatever its state. */
export function tagsOf(settings: AciSettings, request: LaunchRequest): Record<string, string> {
  return {
    app: APP,
    hub: settings.hub,
    job: request.jobId,
    batch: String(request.batch),
    attempt: String(request.attempt),
    deadline: new Date(request.deadline).toISOString(),
  };
}

/** The body of the PUT. Every environment value is a secure value, which Azure never gives back. */
export function describeGroup(settings: AciSettings, request: LaunchRequest, location: string): ContainerGroup {
  const environment = { SCORER_THREADS: String(Math.max(1, Math.floor(settings.cpu))), ...request.environment };
  return {
    location,
    tags: tagsOf(settings, request),
    osType: 'Linux',
    restartPolicy: 'Never',
    sku: 'Standard',
    containers: [
      {
        name: CONTAINER,
        image: settings.image,
        resources: { requests: { cpu: settings.cpu, memoryInGB: settings.memoryGb } },
        environmentVariables: Object.entries(environment).map(([name, secureValue]) => ({ name, secureValue })),
      },
    ],
    ...(settings.spot ? { priority: 'Spot' } : {}),
    ...(settings.zone === undefined ? {} : { zones: [settings.zone] }),
    ...network(settings),
    ...identity(settings),
  };
}

/** A subnet brings no name servers of its own: they must be named with it. */
function network({ subnetId, dnsServers }: AciSettings): Partial<ContainerGroup> {
  if (subnetId === undefined) return {};
  const subnet = { subnetIds: [{ id: subnetId }] };
  return dnsServers.length > 0 ? { ...subnet, dnsConfig: { nameServers: dnsServers } } : subnet;
}

const registryOf = (image: string) => image.split('/')[0] ?? '';

/** The identity pulls the image where the image lies in an Azure container registry. */
export const isPulledByIdentity = ({ identityId, image }: AciSettings) =>
  identityId !== undefined && registryOf(image).endsWith('.azurecr.io');

function identity(settings: AciSettings): Partial<ContainerGroup> {
  const { identityId, image } = settings;
  if (identityId === undefined) return {};
  const credentials = [{ server: registryOf(image), identity: identityId }];
  return {
    identity: { type: 'UserAssigned', userAssignedIdentities: { [identityId]: {} } },
    ...(isPulledByIdentity(settings) ? { imageRegistryCredentials: credentials } : {}),
  };
}
