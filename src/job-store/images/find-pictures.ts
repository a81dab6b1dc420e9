import type { BlobItem, ContainerClient } from '@azure/storage-blob';
import { pMapIterable } from 'p-map';
import { JobError } from '../../job/failure.js';
import { type FileKind, fileKindByName, fileKindByStart, KIND_BYTES, PICTURE_KINDS } from '../../job/items/formats.js';
import { bareEtag } from '../../job/inbox/media-event.js';
import { isAboutJobs } from '../../job/inbox/what-starts.js';
import type { LeftOut } from '../../job/items/left-out.js';
import { listBlobs, readBytes, type Storage } from '../../storage/storage.js';
import { imagesOf } from './items.js';

/** Files without a picture's name whose first bytes are read at the same time. */
const LOOKS = 16;

/** A picture of a folder, by its name below it. */
export interface FoundPicture {
  name: string;
  /** The version that was listed, without quotes. */
  etag: string;
  bytes: number;
}

/**
 * The pictures below a prefix, by name or, where the name does not tell, by content, in the order of the listing.
 * @param leftOut counts what is none.
 * @param isOther knows files that are there for something else.
 */
export async function* findPictures(
  storage: Storage,
  images: string,
  leftOut: LeftOut,
  isOther: (name: string) => boolean = () => false,
): AsyncGenerator<FoundPicture> {
  const { container, prefix } = imagesOf(storage, images);
  const looked = pMapIterable(
    listBlobs(container, { prefix, includeMetadata: true }),
    async (blob) => ({
      name: blob.name.slice(prefix.length),
      etag: bareEtag(blob.properties.etag),
      bytes: blob.properties.contentLength ?? 0,
      kind: isFolder(blob) ? ('folder' as const) : await kindOf(container, blob),
    }),
    { concurrency: LOOKS, backpressure: 4 * LOOKS },
  );
  for await (const { name, etag, bytes, kind } of looked) {
    if (kind === 'folder') continue;
    if (kind === 'picture') yield { name, etag, bytes };
    else if (!isOther(name) && !isAboutJobs(name)) leftOut.add(name, kind);
  }
}

/** Whether a blob stands for a folder: storage has none, or lists its own, and tools write these. */
const isFolder = ({ name, properties, metadata }: BlobItem): boolean =>
  (properties.contentLength ?? 0) === 0 && (name.endsWith('/') || metadata?.hdi_isfolder === 'true');

async function kindOf(
  container: ContainerClient,
  { name, properties: { contentLength } }: BlobItem,
): Promise<FileKind> {
  const kind = fileKindByName(name);
  if (kind !== undefined || contentLength === 0) return kind;
  const start = await readBytes(container, name, KIND_BYTES);
  return start && fileKindByStart(start);
}

/** The error for a folder without any. */
export const noPictures = (images: string, leftOut: LeftOut) =>
  new JobError(
    'user',
    `There is no ${PICTURE_KINDS} below ${images}, but ${leftOut.summary()}; name a folder of images.`,
  );
