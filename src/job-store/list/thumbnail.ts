import { mkdir } from 'node:fs/promises';
import type { Media } from '../../media/media.js';
import { blobSas, type Storage } from '../../storage/storage.js';
import { jobOf, THUMBNAIL } from '../layout.js';
import { jobFolder } from '../local-copy.js';

interface ThumbnailPorts {
  storage: Storage;
  media: Pick<Media, 'thumbnail'>;
  tempFolder: string;
}

/**
 * Keeps a small picture of what a job has made, for the list of jobs. It never fails: a job is as good without.
 * @param read gives the picture, if there is one.
 */
export async function keepThumbnail(
  { storage, media, tempFolder }: ThumbnailPorts,
  jobId: string,
  read: () => Promise<Buffer | undefined>,
): Promise<void> {
  try {
    const picture = await read();
    if (!picture) return;
    const folder = jobFolder(tempFolder, jobId);
    await mkdir(folder, { recursive: true });
    const small = await media.thumbnail(picture, folder);
    const blobHTTPHeaders = { blobContentType: 'image/jpeg' };
    await jobOf(storage, jobId).getBlockBlobClient(THUMBNAIL).upload(small, small.length, { blobHTTPHeaders });
  } catch {
    // The list shows the job without one.
  }
}

export const hasThumbnail = (storage: Storage, jobId: string): Promise<boolean> =>
  jobOf(storage, jobId).getBlobClient(THUMBNAIL).exists();

const READABLE_MS = 3_600_000;

/** Where it is, readable for an hour; nobody looks whether it is there. */
export const thumbnailUrl = (storage: Storage, jobId: string): Promise<string> =>
  blobSas(storage, jobOf(storage, jobId).getBlobClient(THUMBNAIL), 'r', Date.now() + READABLE_MS);
