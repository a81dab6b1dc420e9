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
  /** Virtual CPU cores and memory (GB, 10^9 bytes) of one container. */
  cpu: number;
  memoryGb: number;
  /** Resource id of the user-assigned identity that pulls the image. */
  identityId: string | undefined;
  subnetId: string | undefined;
  dnsServers: string[];
  zone: string | undefined;
  spot: boolean;
  /** Where the container has an empty volume for its temporary files. */
  scratchPath: string | undefined;
  /** A share of Azure Files that every container sees. */
  fileShare: { name: string; account: string; key: string; path: string } | undefined;
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

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);
const mountPath = z.string().regex(/^\/[\w./-]+$/, 'must be an absolute path such as /mnt/share');

/** Container groups of this API version mount a share with the key of its account only. */
const FILE_SHARE = ['ACI_FILE_SHARE', 'ACI_FILE_SHARE_ACCOUNT', 'ACI_FILE_SHARE_KEY'] as const;

const schema = z
  .object({
    AZURE_SUBSCRIPTION_ID: z.string().regex(/^[0-9a-f-]{36}$/i, 'must be the 36 characters of a subscription id'),
    ACI_RESOURCE_GROUP: groupName,
    ACI_REGIONS: list.refine((names) => names.length > 0 && names.every((name) => /^[a-z0-9]+$/.test(name)), {
      message: 'must name regions as in westeurope,swedencentral',
    }),
    ACI_IMAGE: image,
    // Largest standard group; Azure's quota page of 2025-11-17.
    ACI_CPU: number(2, 0.1, 31),
    ACI_MEMORY_GB: number(4, 0.5, 240),
    ACI_IDENTITY_ID: resourceId.optional(),
    ACI_SUBNET_ID: resourceId.optional(),
    ACI_DNS_SERVERS: list.default([]),
    ACI_ZONE: z
      .string()
      .regex(/^[1-3]$/, 'must be 1, 2 or 3')
      .optional(),
    ACI_SPOT: z.enum(['true', 'false'], 'must be true or false').default('false'),
    ACI_SCRATCH_PATH: mountPath.optional(),
    ACI_FILE_SHARE: z
      .string()
      .regex(/^[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]$/, 'must be the name of a file share')
      .optional(),
    ACI_FILE_SHARE_ACCOUNT: z
      .string()
      .regex(/^[a-z0-9]{3,24}$/, 'must be the name of a storage account')
      .optional(),
    ACI_FILE_SHARE_KEY: z.string().optional(),
    ACI_FILE_SHARE_PATH: mountPath.default('/mnt/share'),
    ACI_POLL_SECONDS: pollSeconds,
    ACI_REQUEST_SECONDS: requestSeconds,
    ACI_ENDPOINT: armEndpoint,
    ACI_HUB: z.string().max(256).optional(),
    WEBSITE_SITE_NAME: z.string().optional(),
  })
  .superRefine((settings, context) => {
    const missing = FILE_SHARE.filter((name) => settings[name] === undefined);
    if (missing.length === FILE_SHARE.length) return;
    const message = 'is missing: a file share needs name, account and key';
    for (const name of missing) context.addIssue({ code: 'custom', path: [name], message });
  });

/**
 * Reads the settings of the `aci` compute; undefined when none of its own required ones is set.
 * @throws JobError `user` that names the setting which is missing or wrong.
 */
export function readAciSettings(environment: Environment): AciSettings | undefined {
  if (!ACI_REQUIRED.some((name) => name.startsWith('ACI_') && isSet(environment, name))) return undefined;
  return rename(readSettings(schema, environment));
}

type Data = z.output<typeof schema>;

function fileShareOf(data: Data): AciSettings['fileShare'] {
  const { ACI_FILE_SHARE: name, ACI_FILE_SHARE_ACCOUNT: account, ACI_FILE_SHARE_KEY: key } = data;
  if (name === undefined || account === undefined || key === undefined) return undefined;
  return { name, account, key, path: data.ACI_FILE_SHARE_PATH };
}

const rename = (data: Data): AciSettings => ({
  subscriptionId: data.AZURE_SUBSCRIPTION_ID,
  resourceGroup: data.ACI_RESOURCE_GROUP,
  regions: data.ACI_REGIONS,
  image: data.ACI_IMAGE,
  cpu: data.ACI_CPU,
  memoryGb: data.ACI_MEMORY_GB,
  identityId: data.ACI_IDENTITY_ID,
  subnetId: data.ACI_SUBNET_ID,
  dnsServers: data.ACI_DNS_SERVERS,
  zone: data.ACI_ZONE,
  spot: data.ACI_SPOT === 'true',
  scratchPath: data.ACI_SCRATCH_PATH,
  fileShare: fileShareOf(data),
  pollSeconds: data.ACI_POLL_SECONDS,
  requestSeconds: data.ACI_REQUEST_SECONDS,
  endpoint: data.ACI_ENDPOINT,
  hub: data.ACI_HUB ?? data.WEBSITE_SITE_NAME ?? 'local',
});
