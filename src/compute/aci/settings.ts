import { z } from 'zod';
import { type Environment, isSet, readSettings } from '../../settings.js';
import { armEndpoint, groupName, image, number, pollSeconds, requestSeconds, resourceId } from '../azure/settings.js';

/** Where container groups are made, and how big. */
export interface AciSettings {
  subscriptionId: string;
  resourceGroup: string;
  /** Tried one after another. */
  regions: string[];
  image: string;
  /** The scorer's image with CUDA; undefined: no job gets a GPU. */
  gpuImage: string | undefined;
  /** GPUs of one container that has any: 1, 2 or 4. */
  gpuCount: number;
  /** Virtual CPU cores and memory (GB, 10^9 bytes) of one container. */
  cpu: number;
  memoryGb: number;
  /** Resource id of the user-assigned identity that pulls the image. */
  identityId: string | undefined;
  subnetId: string | undefined;
  dnsServers: string[];
  zone: string | undefined;
  spot: boolean;
  /** Least seconds between two looks at a container group. */
  pollSeconds: number;
  /** Seconds after which the app gives up a request to Azure without an answer. */
  requestSeconds: number;
  /** Address of Azure Resource Manager; plain http only on this machine, and then without a login. */
  endpoint: string;
  /** Value of the tag that tells this app's groups from those of others in the resource group. */
  hub: string;
}

/** Without these there is no such compute. */
export const ACI_REQUIRED = ['AZURE_SUBSCRIPTION_ID', 'ACI_RESOURCE_GROUP', 'ACI_REGIONS', 'ACI_IMAGE'] as const;

/** Largest standard group; Azure's quota page of 2025-11-17. */
const MOST_CPU = 31;
export const MOST_MEMORY_GB = 240;

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);

/** Settings of earlier versions that had no effect: the scorer writes no temporary files and reads no mounted share. */
const gone = z
  .undefined('has no effect: the scorer reads its inputs from Blob Storage and keeps nothing on disk; remove it')
  .optional();

const schema = z.object({
  AZURE_SUBSCRIPTION_ID: z.string().regex(/^[0-9a-f-]{36}$/i, 'must be the 36 characters of a subscription id'),
  ACI_RESOURCE_GROUP: groupName,
  ACI_REGIONS: list.refine((names) => names.length > 0 && names.every((name) => /^[a-z0-9]+$/.test(name)), {
    message: 'must name regions as in westeurope,swedencentral',
  }),
  ACI_IMAGE: image,
  ACI_GPU_IMAGE: image.optional(),
  ACI_GPU_COUNT: z.enum(['1', '2', '4'], 'must be 1, 2 or 4').default('1'),
  ACI_CPU: number(2, 0.1, MOST_CPU),
  ACI_MEMORY_GB: number(4, 0.5, MOST_MEMORY_GB),
  ACI_IDENTITY_ID: resourceId.optional(),
  ACI_SUBNET_ID: resourceId.optional(),
  ACI_DNS_SERVERS: list.default([]),
  ACI_ZONE: z
    .string()
    .regex(/^[1-3]$/, 'must be 1, 2 or 3')
    .optional(),
  ACI_SPOT: z.enum(['true', 'false'], 'must be true or false').default('false'),
  ACI_SCRATCH_PATH: gone,
  ACI_FILE_SHARE: gone,
  ACI_FILE_SHARE_ACCOUNT: gone,
  ACI_FILE_SHARE_KEY: gone,
  ACI_FILE_SHARE_PATH: gone,
  ACI_POLL_SECONDS: pollSeconds,
  ACI_REQUEST_SECONDS: requestSeconds,
  ACI_ENDPOINT: armEndpoint,
  ACI_HUB: z.string().max(256).optional(),
  WEBSITE_SITE_NAME: z.string().optional(),
});

/**
 * Reads the settings of the `aci` compute; undefined when none of its own required ones is set.
 * @throws JobError `user` that names the setting which is missing or wrong.
 */
export function readAciSettings(environment: Environment): AciSettings | undefined {
  if (!ACI_REQUIRED.some((name) => name.startsWith('ACI_') && isSet(environment, name))) return undefined;
  return rename(readSettings(schema, environment));
}

const rename = (data: z.output<typeof schema>): AciSettings => ({
  subscriptionId: data.AZURE_SUBSCRIPTION_ID,
  resourceGroup: data.ACI_RESOURCE_GROUP,
  regions: data.ACI_REGIONS,
  image: data.ACI_IMAGE,
  gpuImage: data.ACI_GPU_IMAGE,
  gpuCount: Number(data.ACI_GPU_COUNT),
  cpu: data.ACI_CPU,
  memoryGb: data.ACI_MEMORY_GB,
  identityId: data.ACI_IDENTITY_ID,
  subnetId: data.ACI_SUBNET_ID,
  dnsServers: data.ACI_DNS_SERVERS,
  zone: data.ACI_ZONE,
  spot: data.ACI_SPOT === 'true',
  pollSeconds: data.ACI_POLL_SECONDS,
  requestSeconds: data.ACI_REQUEST_SECONDS,
  endpoint: data.ACI_ENDPOINT,
  hub: data.ACI_HUB ?? data.WEBSITE_SITE_NAME ?? 'local',
});
