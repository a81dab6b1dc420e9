import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { BlockBlobClient, RestError } from '@azure/storage-blob';
import pMap from 'p-map';
import { again, STORAGE_OPTIONS } from '../../container-contract/storage-access.js';
import { JobError } from '../../job/failure.js';

const MIB = 1024 * 1024;
/** A larger file goes up in blocks, which stay in storage for a week: what breaks off goes on where it was. */
const LARGE_BYTES = 16 * MIB;
const BLOCK_BYTES = 8 * MIB;
/** A blob has at most so many: https://learn.microsoft.com/rest/api/storageservices/put-block */
const MOST_BLOCKS = 50_000;
const AT_ONCE = 4;

export interface LargeUpload {
  abortSignal: AbortSignal;
  /** Gets the bytes that are in storage, and all. */
  onProgress: (sent: number, total: number) => void;
  /** Gives another URL of the same blob, as one is valid for an hour only. */
  renew: () => Promise<string>;
}

/** By what a file is known again: one that has changed has other blocks. */
export interface FileVersion {
  size: number;
  mtimeMs: number;
}

/** Whether a file goes up in blocks. One that cannot be read does not. */
export const isLarge = (file: string): Promise<boolean> =>
  stat(file).then(
    ({ size }) => size > LARGE_BYTES,
    () => false,
  );

export async function versionOf(file: string): Promise<FileVersion> {
  const { size, mtimeMs } = await stat(file);
  return { size, mtimeMs };
}

/**
 * Uploads a file block by block, but for those that are in storage already.
 * @param url may be read, too.
 * @returns the ETag of what it has become.
 * @throws JobError `user` when the file changes meanwhile; else what the file system or storage throws.
 */
export async function uploadBlocks(
  url: string,
  file: string,
  version: FileVersion,
  upload: LargeUpload,
): Promise<string> {
  const { abortSignal, onProgress, renew } = upload;
  const { size } = version;
  let blob = new BlockBlobClient(url, undefined, STORAGE_OPTIONS);
  let renewing: Promise<void> | undefined;
  const renewBlob = async () => {
    blob = new BlockBlobClient(await renew(), undefined, STORAGE_OPTIONS);
    renewing = undefined;
  };
  const ask = async <T>(work: (client: BlockBlobClient) => Promise<T>): Promise<T> => {
    const used = blob;
    try {
      return await again(() => work(used), abortSignal);
    } catch (error) {
      if (!(error instanceof RestError && error.statusCode === 403)) throw error;
      if (blob === used) {
        renewing ??= renewBlob();
        await renewing;
      }
      return again(() => work(blob), abortSignal);
    }
  };
  const length = Math.max(BLOCK_BYTES, Math.ceil(size / MOST_BLOCKS / MIB) * MIB);
  const offsets = Array.from({ length: Math.ceil(size / length) }, (_, index) => index * length);
  const sizeAt = (offset: number) => Math.min(length, size - offset);
  const ids = new Map(offsets.map((offset) => [offset, blockId(version, offset)]));
  const stored = await ask((client) => storedBlocks(client, abortSignal));
  const isStored = (blocks: Map<string, number>, offset: number) =>
    blocks.get(ids.get(offset) ?? '') === sizeAt(offset);
  if (offsets.every((offset) => isStored(stored.committed, offset)) && stored.committed.size === offsets.length) {
    onProgress(size, size);
    return stored.etag;
  }
  const missing = offsets.filter((offset) => !isStored(stored.uncommitted, offset));
  let sent = size - missing.reduce((sum, offset) => sum + sizeAt(offset), 0);
  onProgress(sent, size);
  const handle = await open(file, 'r');
  try {
    const send = async (offset: number) => {
      abortSignal.throwIfAborted();
      const bytes = Buffer.alloc(sizeAt(offset));
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset);
      if (bytesRead < bytes.length) throw changed(file);
      await ask((client) => client.stageBlock(ids.get(offset) ?? '', bytes, bytes.length, { abortSignal }));
      sent += bytes.length;
      onProgress(sent, size);
    };
    await pMap(missing, send, { concurrency: AT_ONCE });
  } finally {
    await handle.close();
  }
  const now = await versionOf(file);
  if (now.size !== size || now.mtimeMs !== version.mtimeMs) throw changed(file);
  const { etag = '' } = await ask((client) => client.commitBlockList([...ids.values()], { abortSignal }));
  return etag;
}

const changed = (file: string) =>
  new JobError('user', `${file} has changed while it was uploaded; run the command again when nobody writes to it.`);

/** All ids of a blob have the same length. */
function blockId({ size, mtimeMs }: FileVersion, offset: number): string {
  const version = createHash('sha256').update(`${size} ${mtimeMs}`).digest('hex').slice(0, 16);
  return Buffer.from(`${version}-${String(offset).padStart(15, '0')}`).toString('base64');
}

interface StoredBlocks {
  committed: Map<string, number>;
  uncommitted: Map<string, number>;
  etag: string;
}

/** Sizes of blocks by their ids. */
async function storedBlocks(blob: BlockBlobClient, abortSignal: AbortSignal): Promise<StoredBlocks> {
  try {
    const { committedBlocks = [], uncommittedBlocks = [], etag = '' } = await blob.getBlockList('all', { abortSignal });
    const sizes = (blocks: { name: string; size: number }[]) => new Map(blocks.map(({ name, size }) => [name, size]));
    return { committed: sizes(committedBlocks), uncommitted: sizes(uncommittedBlocks), etag };
  } catch (error) {
    if (!(error instanceof RestError && error.statusCode === 404)) throw error;
    return { committed: new Map(), uncommitted: new Map(), etag: '' };
  }
}
