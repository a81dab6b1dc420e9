import { JobError } from '../job/failure.js';

/** How a storage account is reached: the connection string of an Azurite, or an account on Azure with the app's login. */
export type Connection = string | { blobServiceUri: string; clientId: string | undefined };

/** The settings that `readConnection` looks at, for a name such as MEDIA_STORAGE. */
const PARTS = ['', '__blobServiceUri', '__accountName'] as const;

/**
 * Reads the settings that the Functions host knows for a connection: `NAME`, or `NAME__blobServiceUri` or
 * `NAME__accountName`, each with or without `NAME__clientId`.
 * @returns undefined when none is set.
 * @throws JobError `user` that names the setting which is wrong, never its value.
 */
export function readConnection(environment: NodeJS.ProcessEnv, name: string): Connection | undefined {
  const [text, uri, account] = PARTS.map((part) => environment[name + part] || undefined);
  if (text !== undefined && (uri ?? account) !== undefined)
    throw new JobError('user', `${name} is set, and so is ${name}__…: remove one of the two.`);
  if (text !== undefined) {
    if (!isAzurite(text)) throw new JobError('user', holdsKey(name));
    return text;
  }
  const blobServiceUri = uri ?? (account === undefined ? undefined : `https://${account}.blob.core.windows.net`);
  if (blobServiceUri === undefined) return undefined;
  if (!URL.canParse(blobServiceUri) || new URL(blobServiceUri).protocol !== 'https:')
    throw new JobError(
      'user',
      `The setting ${name}${uri === undefined ? '__accountName' : '__blobServiceUri'} is wrong: it must be as in ${uri === undefined ? 'myaccount' : 'https://myaccount.blob.core.windows.net'}.`,
    );
  return { blobServiceUri, clientId: environment[`${name}__clientId`] || undefined };
}

const holdsKey = (name: string) =>
  `The setting ${name} is a connection string, which is accepted for Azurite only: an account's key must not be kept; set ` +
  `${name}__blobServiceUri to https://ACCOUNT.blob.core.windows.net and give the app's identity the role Storage Blob Data Contributor.`;

/** Whether a connection string leads to an Azurite: its key is published and no secret, or it serves this machine only. */
function isAzurite(connection: string): boolean {
  const part = (key: string) => new RegExp(`(?:^|;)\\s*${key}=([^;]*)`, 'i').exec(connection)?.[1] ?? '';
  if (part('UseDevelopmentStorage') === 'true' || part('AccountName') === 'devstoreaccount1') return true;
  const endpoint = part('BlobEndpoint');
  return URL.canParse(endpoint) && ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(endpoint).hostname);
}
