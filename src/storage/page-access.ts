import type { BlobServiceClient } from '@azure/storage-blob';
import type { Storage } from './storage.js';

/** Of so many origins an Azurite remembers that their pages may read and write. */
const MOST_ORIGINS = 20;

/**
 * Has an Azurite answer the scripts of pages from an origin, with which the page of the app uploads into storage; such requests still need a
 * signature. On Azure the deployment says so, and the app has no right to (https://learn.microsoft.com/rest/api/storageservices/cross-origin-resource-sharing--cors--support-for-the-azure-storage-services).
 */
export function createLetIn({ media, internal, delegationKeys }: Storage): (origin: string) => Promise<void> {
  const azurites = [media, internal].filter(
    ({ url, accountName }, index, all) =>
      !delegationKeys.has(accountName) && all.findIndex((other) => other.url === url) === index,
  );
  const known = new Map<string, Promise<unknown>>();
  return async (origin) => {
    const letting = known.get(origin) ?? Promise.all(azurites.map((service) => letIn(service, origin)));
    known.set(origin, letting);
    letting.catch(() => known.delete(origin));
    await letting;
  };
}

async function letIn(service: BlobServiceClient, origin: string): Promise<void> {
  const { cors = [] } = await service.getProperties();
  const before = cors.flatMap(({ allowedOrigins }) => allowedOrigins.split(','));
  if (before.includes(origin)) return;
  const allowedOrigins = [origin, ...before].slice(0, MOST_ORIGINS).join(',');
  const rule = {
    allowedOrigins,
    allowedMethods: 'GET,HEAD,PUT,OPTIONS',
    allowedHeaders: 'content-type,if-none-match,range,x-ms-*',
    exposedHeaders: 'etag,content-range,x-ms-*',
    maxAgeInSeconds: 3600,
  };
  await service.setProperties({ cors: [rule] });
}
