import { rename, rm } from 'node:fs/promises';
import { BlockBlobClient } from '@azure/storage-blob';
import { again, isPassing, saveWhole, STORAGE_OPTIONS } from '../../container-contract/storage-access.js';
import { JobError, messageOf } from '../../job/failure.js';

/** @throws JobError `user` when the file can no longer be read, `platform` when storage does not take it. */
export async function uploadFile(url: string, file: string, abortSignal: AbortSignal): Promise<void> {
  try {
    const blob = new BlockBlobClient(url, undefined, STORAGE_OPTIONS);
    await again(() => blob.uploadFile(file, { abortSignal }), abortSignal);
  } catch (cause) {
    const why = reasonOf(cause);
    throw isOfFileSystem(cause)
      ? new JobError('user', `${file} cannot be read (${why}); check the file and its permissions.`, { cause })
      : new JobError('platform', `${file} could not be uploaded (${why}); run the command again.`, { cause });
  }
}

/**
 * Saves what is at a URL as a file, whole or not at all.
 * @throws JobError `user` when it cannot be written there, `platform` when the download breaks off.
 */
export async function downloadFile(url: string, target: string, abortSignal: AbortSignal): Promise<void> {
  const part = `${target}.part`;
  try {
    await saveWhole(new BlockBlobClient(url, undefined, STORAGE_OPTIONS), part, abortSignal);
    await rename(part, target);
  } catch (cause) {
    const why = reasonOf(cause);
    const sentence = isOfFileSystem(cause)
      ? `${target} could not be written (${why}); free some space or name another place with --out.`
      : `${target} could not be downloaded (${why}); run the command again.`;
    throw new JobError(isOfFileSystem(cause) ? 'user' : 'platform', sentence, { cause });
  } finally {
    await rm(part, { force: true });
  }
}

const reasonOf = (cause: unknown) => messageOf(cause).replace(/\.$/, '');

/** Whether a file failed, not a connection: the system numbers the errors of both. */
const isOfFileSystem = (error: unknown) => error instanceof Error && 'errno' in error && !isPassing(error);
