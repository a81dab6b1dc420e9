import { describePlace } from '../../container-contract/environment.js';
import type { ContainerGroup, Volume, VolumeMount } from '@azure/arm-containerinstance';
import { isPulledByIdentity, registryOf } from '../azure/image.js';
import type { LaunchRequest } from '../provider.js';
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

/** The body of the PUT. Every environment value is a secure value, which Azure never gives back. */
export function describeGroup(settings: AciSettings, request: LaunchRequest, location: string): ContainerGroup {
  const environment = {
    ...describePlace({ threads: settings.cpu }),
    ...(settings.scratchPath === undefined ? {} : { TMPDIR: settings.scratchPath }),
    ...request.environment,
  };
  const { mounts, volumes } = storageOf(settings);
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
        ...(mounts.length > 0 ? { volumeMounts: mounts } : {}),
      },
    ],
    ...(volumes.length > 0 ? { volumes } : {}),
    ...(settings.spot ? { priority: 'Spot' } : {}),
    ...(settings.zone === undefined ? {} : { zones: [settings.zone] }),
    ...network(settings),
    ...identity(settings),
  };
}

/** A scratch volume that lives as long as the group, and a share of Azure Files. */
function storageOf({ scratchPath, fileShare }: AciSettings): { mounts: VolumeMount[]; volumes: Volume[] } {
  const mounts: VolumeMount[] = [];
  const volumes: Volume[] = [];
  if (scratchPath !== undefined) {
    mounts.push({ name: 'scratch', mountPath: scratchPath });
    volumes.push({ name: 'scratch', emptyDir: {} });
  }
  if (fileShare) {
    const { name: shareName, account: storageAccountName, key: storageAccountKey, path: mountPath } = fileShare;
    mounts.push({ name: 'share', mountPath, readOnly: true });
    volumes.push({ name: 'share', azureFile: { shareName, storageAccountName, storageAccountKey, readOnly: true } });
  }
  return { mounts, volumes };
}

/** A subnet brings no name servers of its own: the group has to name them. */
function network({ subnetId, dnsServers }: AciSettings): Partial<ContainerGroup> {
  if (subnetId === undefined) return {};
  const subnet = { subnetIds: [{ id: subnetId }] };
  return dnsServers.length > 0 ? { ...subnet, dnsConfig: { nameServers: dnsServers } } : subnet;
}

/** The identity pulls the image when that is in an Azure container registry. */
function identity({ identityId, image }: AciSettings): Partial<ContainerGroup> {
  if (identityId === undefined) return {};
  const credentials = [{ server: registryOf(image), identity: identityId }];
  return {
    identity: { type: 'UserAssigned', userAssignedIdentities: { [identityId]: {} } },
    ...(isPulledByIdentity(image, identityId) ? { imageRegistryCredentials: credentials } : {}),
  };
}
