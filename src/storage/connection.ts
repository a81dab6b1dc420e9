import { z } from 'zod';
import { JobError } from '../job/failure.js';
import { type Environment, isSet, readSettings } from '../settings.js';

/** How to reach a storage account: by the connection string of an Azurite, or by the app's login to an account on Azure. */
export type Connection = string | { blobServiceUri: string; clientId: string | undefined };

/**
 * Reads the settings that the Functions host knows for a connection: `NAME`, or `NAME__blobServiceUri` or
 * `NAME__accountName`, each with or without `NAME__clientId`.
 * @param name such as MEDIA_STORAGE.
 * @returns undefined when none is set.
 * @throws JobError `user` that names the setting which is wrong, never its value.
 */
export function readConnection(environment: Environment, name: string): Connection | undefined {
  const [uri, account, client] = [`${name}__blobServiceUri`, `${name}__accountName`, `${name}__clientId`] as const;
  if (isSet(environment, name) && (isSet(environment, uri) || isSet(environment, account)))
    throw new JobError('user', `${name} is set, and so is ${name}__…: remove one of the two.`);
  const schema = z.object({
    [name]: z.string().refine(isAzurite, holdsKey(name)).optional(),
    [uri]: z.url({ protocol: /^https$/, error: `must be as in https://myaccount${BLOB_HOST}` }).optional(),
    [account]: z
      .string()
      .regex(/^[a-z0-9]{3,24}$/, 'must be the name of a storage account, as in myaccount')
      .optional(),
    [client]: z.string().optional(),
  });
  const set: Environment = readSettings(schema, environment);
  if (set[name] !== undefined) return set[name];
  const blobServiceUri = set[uri] ?? (set[account] === undefined ? undefined : `https://${set[account]}${BLOB_HOST}`);
  return blobServiceUri === undefined ? undefined : { blobServiceUri, clientId: set[client] };
}

/** Whether a setting holds a connection string that the app does not take, as it has the key of an account on Azure in it. */
export const hasKey = (environment: Environment, name: string): boolean =>
  isSet(environment, name) && !isAzurite(environment[name] ?? '');

/** Where public Azure serves an account's blobs; other clouds are named by `__blobServiceUri`. */
const BLOB_HOST = '.blob.core.windows.net';

const holdsKey = (name: string) =>
  `is a connection string, which is accepted for Azurite only: the app keeps no key of an account; set ${name}__blobServiceUri ` +
  `to https://ACCOUNT${BLOB_HOST} and give the app's identity the role Storage Blob Data Contributor`;

/** Whether a connection string leads to an Azurite, whose key is no secret: the published one, or one for this machine only. */
function isAzurite(connection: string): boolean {
  const part = (key: string) => new RegExp(`(?:^|;)\\s*${key}=([^;]*)`, 'i').exec(connection)?.[1] ?? '';
  if (part('UseDevelopmentStorage') === 'true' || part('AccountName') === 'devstoreaccount1') return true;
  const endpoint = part('BlobEndpoint');
  return URL.canParse(endpoint) && ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(endpoint).hostname);
}
