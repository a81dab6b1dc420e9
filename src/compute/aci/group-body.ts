import { describePlace } from '../../container-contract/environment.js';
import type { ContainerGroup } from '@azure/arm-containerinstance';
import { isPulledByIdentity, registryOf } from '../azure/image.js';
import type { LaunchRequest } from '../provider.js';
import { type GpuOffer, sizeWith } from './capabilities.js';
import type { AciSettings } from './settings.js';

/** Name of the one container of every group. */
export const CONTAINER = 'scorer';
/** Value of the tag `app`. */
export const APP = 'durable-batch-scoring';

/** The tags that say whose a group is and from when on anybody may remove it. */
function tagsOf(settings: AciSettings, request: LaunchRequest): Record<string, string> {
  return {
    app: APP,
    hub: settings.hub,
    job: request.jobId,
    batch: String(request.batch),
    attempt: String(request.attempt),
    deadline: new Date(request.deadline).toISOString(),
  };
}

/**
 * The body of the PUT. Every environment value is a secure value, which Azure never gives back.
 * @param offer the GPUs that the container gets; they need the image with CUDA.
 */
export function describeGroup(
  settings: AciSettings,
  request: LaunchRequest,
  location: string,
  offer: GpuOffer | undefined,
): ContainerGroup {
  const image = offer ? (settings.gpuImage ?? settings.image) : settings.image;
  const asked = { cpu: settings.cpu, memoryGb: request.memoryGb ?? settings.memoryGb };
  const { cpu, memoryGb } = offer ? sizeWith(offer, asked) : asked;
  const environment = { ...describePlace({ threads: cpu, gpu: offer !== undefined }), ...request.environment };
  const gpu = offer ? { gpu: { count: offer.count, sku: offer.sku } } : {};
  return {
    location,
    tags: tagsOf(settings, request),
    osType: 'Linux',
    restartPolicy: 'Never',
    sku: 'Standard',
    containers: [
      {
        name: CONTAINER,
        image,
        resources: { requests: { cpu, memoryInGB: memoryGb, ...gpu } },
        environmentVariables: Object.entries(environment).map(([name, secureValue]) => ({ name, secureValue })),
      },
    ],
    ...(settings.spot ? { priority: 'Spot' } : {}),
    ...(settings.zone === undefined ? {} : { zones: [settings.zone] }),
    ...network(settings),
    ...identity(settings, image),
  };
}

/** A subnet brings no name servers of its own: the group has to name them. */
function network({ subnetId, dnsServers }: AciSettings): Partial<ContainerGroup> {
  if (subnetId === undefined) return {};
  const subnet = { subnetIds: [{ id: subnetId }] };
  return dnsServers.length > 0 ? { ...subnet, dnsConfig: { nameServers: dnsServers } } : subnet;
}

/** The identity pulls the image when that is in an Azure container registry. */
function identity({ identityId }: AciSettings, image: string): Partial<ContainerGroup> {
  if (identityId === undefined) return {};
  const credentials = [{ server: registryOf(image), identity: identityId }];
  return {
    identity: { type: 'UserAssigned', userAssignedIdentities: { [identityId]: {} } },
    ...(isPulledByIdentity(image, identityId) ? { imageRegistryCredentials: credentials } : {}),
  };
}
