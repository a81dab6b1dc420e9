import { z } from 'zod';
import { type Environment, isSet, readSettings } from '../../settings.js';
import { armEndpoint, groupName, image, pollSeconds, requestSeconds, resourceId } from '../azure/settings.js';

/** The workload profile types with one GPU per container. Azure's pages on GPU types and workload profiles, 2025-11. */
export const GPU_PROFILES = {
  T4: { type: 'Consumption-GPU-NC8as-T4', quota: 'SubscriptionConsumptionT4Gpus', cpu: 8, memoryGib: 56 },
  A100: { type: 'Consumption-GPU-NC24-A100', quota: 'SubscriptionConsumptionNCA100Gpus', cpu: 24, memoryGib: 220 },
} as const;

/** Where job executions run, and how big. */
export interface ContainerAppsSettings {
  /** The Container Apps environment, taken out of its resource id. */
  environment: { id: string; subscriptionId: string; resourceGroup: string; name: string };
  /** Where the job resources stand. */
  resourceGroup: string;
  image: string;
  /** Undefined: there is no GPU. */
  gpuImage: string | undefined;
  gpu: keyof typeof GPU_PROFILES;
  /** Virtual CPU cores of one container without GPU; it gets 2 GiB of memory for each, and more of them where a job asks for more memory. */
  cpu: number;
  /** Resource id of the user-assigned identity that pulls the image. */
  identityId: string | undefined;
  /** Least seconds between two looks at an execution. */
  pollSeconds: number;
  /** Seconds after which the app gives up a request to Azure without an answer. */
  requestSeconds: number;
  /** Address of Azure Resource Manager; plain http only on this machine, and then without a login. */
  endpoint: string;
  /** Value of the tag that tells this app's job resources from those of others in the resource group. */
  hub: string;
}

/** Without these there is no such compute. */
export const CONTAINER_APPS_REQUIRED = ['CONTAINER_APPS_ENVIRONMENT_ID', 'CONTAINER_APPS_IMAGE'] as const;

const ENVIRONMENT =
  /^\/subscriptions\/([0-9a-f-]{36})\/resourceGroups\/([-\w.()]{1,90})\/providers\/Microsoft\.App\/managedEnvironments\/([-\w]+)$/i;
/** Of the largest container of the Consumption profile; Azure's page on workload profiles of 2025-11-04. */
export const MOST_CORES = 4;
const CPU = 'must be 0.25 to 4 in steps of 0.25';

const schema = z.object({
  CONTAINER_APPS_ENVIRONMENT_ID: z
    .string()
    .regex(
      ENVIRONMENT,
      'must be a resource id as in /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.App/managedEnvironments/NAME',
    ),
  CONTAINER_APPS_RESOURCE_GROUP: groupName.optional(),
  CONTAINER_APPS_IMAGE: image,
  CONTAINER_APPS_GPU_IMAGE: image.optional(),
  CONTAINER_APPS_GPU: z.enum(['T4', 'A100'], 'must be T4 or A100').default('T4'),
  CONTAINER_APPS_CPU: z.coerce
    .number({ error: CPU })
    .min(0.25, CPU)
    .max(MOST_CORES, CPU)
    .multipleOf(0.25, CPU)
    .default(2),
  CONTAINER_APPS_IDENTITY_ID: resourceId.optional(),
  CONTAINER_APPS_POLL_SECONDS: pollSeconds,
  CONTAINER_APPS_REQUEST_SECONDS: requestSeconds,
  CONTAINER_APPS_ENDPOINT: armEndpoint,
  CONTAINER_APPS_HUB: z.string().max(256).optional(),
  WEBSITE_SITE_NAME: z.string().optional(),
});

/**
 * Reads the settings of the `container-apps` compute; undefined when none of the required ones is set.
 * @throws JobError `user` that names the setting which is missing or wrong.
 */
export function readContainerAppsSettings(environment: Environment): ContainerAppsSettings | undefined {
  if (!CONTAINER_APPS_REQUIRED.some((name) => isSet(environment, name))) return undefined;
  return rename(readSettings(schema, environment));
}

function rename(data: z.output<typeof schema>): ContainerAppsSettings {
  const id = data.CONTAINER_APPS_ENVIRONMENT_ID;
  const [, subscriptionId = '', resourceGroup = '', name = ''] = ENVIRONMENT.exec(id) ?? [];
  return {
    environment: { id, subscriptionId, resourceGroup, name },
    resourceGroup: data.CONTAINER_APPS_RESOURCE_GROUP ?? resourceGroup,
    image: data.CONTAINER_APPS_IMAGE,
    gpuImage: data.CONTAINER_APPS_GPU_IMAGE,
    gpu: data.CONTAINER_APPS_GPU,
    cpu: data.CONTAINER_APPS_CPU,
    identityId: data.CONTAINER_APPS_IDENTITY_ID,
    pollSeconds: data.CONTAINER_APPS_POLL_SECONDS,
    requestSeconds: data.CONTAINER_APPS_REQUEST_SECONDS,
    endpoint: data.CONTAINER_APPS_ENDPOINT,
    hub: data.CONTAINER_APPS_HUB ?? data.WEBSITE_SITE_NAME ?? 'local',
  };
}
