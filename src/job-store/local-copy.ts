import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { type BlobClient, RestError } from '@azure/storage-blob';
import { saveWhole } from '../container-contract/storage-access.js';
import { JobError } from '../job/failure.js';
import { isNotFound, type Storage } from '../storage/storage.js';
import { missingInput } from './inputs.js';
import { mediaBlob } from './layout.js';
import { type VideoJob, videoVersion } from './resolved-job.js';

export const jobFolder = (tempFolder: string, jobId: string) => path.join(tempFolder, `scoring-${jobId}`);

/**
 * Removes the job's temporary folder. An activity that has failed early may go on writing there for some seconds; what it leaves takes
 * room until the local stack or the machine is started again, and is no failure of the job.
 */
export async function removeJobFolder(tempFolder: string, jobId: string): Promise<void> {
  const folder = jobFolder(tempFolder, jobId);
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }).catch(() => undefined);
}

/**
 * Downloads a blob into the job's temporary folder, unless an earlier activity on this machine has done so.
 * @param missing is thrown when there is no such blob.
 * @param signal ends the download.
 * @param etag of the version that is meant; any, when left out.
 * @throws JobError `user` when the disk is full or cannot be written, or the blob is of another version.
 */
export async function localCopy(
  blob: BlobClient,
  folder: string,
  name: string,
  missing: JobError,
  signal?: AbortSignal,
  etag?: string,
): Promise<string> {
  const file = path.join(folder, name);
  try {
    const existing = await stat(file).catch(() => undefined);
    // Of a version that is meant, the job has saved no other, and need not mind that the blob is replaced by now.
    if (existing && (etag !== undefined || existing.size === (await blob.getProperties()).contentLength)) return file;
    await mkdir(folder, { recursive: true });
    // The chunks of a video ask for it at the same moment.
    const part = `${file}.${randomUUID()}.part`;
    try {
      await saveWhole(blob, part, signal, etag);
      await rename(part, file);
    } finally {
      await rm(part, { force: true });
    }
    return file;
  } catch (cause) {
    if (isNotFound(cause)) throw missing;
    if (cause instanceof RestError && cause.statusCode === 412)
      throw new JobError('user', `${blob.containerName}/${blob.name} was replaced before its job had read it.`, {
        cause,
      });
    throw diskError(cause, folder);
  }
}

/**
 * The video of a job as a file of this machine.
 * @param etag of the version that started the job; any, when left out.
 */
export const localVideo = (storage: Storage, folder: string, video: string, signal?: AbortSignal, etag?: string) =>
  localCopy(mediaBlob(storage, video), folder, 'source', missingInput('video', video), signal, etag);

/** The sound of a job's frames as a file of this machine. */
export const localSound = (storage: Storage, folder: string, sound: string, signal?: AbortSignal) =>
  localCopy(mediaBlob(storage, sound), folder, 'source', missingInput('audio', sound), signal);

/** What a job's output takes all but its pictures from, as a file of this machine; undefined where that is nothing. */
export function localSource(
  storage: Storage,
  folder: string,
  job: VideoJob,
  signal?: AbortSignal,
): Promise<string> | undefined {
  const { spec, sound } = job;
  const { video } = spec.input;
  if (video !== undefined) return localVideo(storage, folder, video, signal, videoVersion(job));
  return sound === undefined ? undefined : localSound(storage, folder, sound, signal);
}

/**
 * Makes a folder below the job's for one run of an activity: the ffmpeg of a run that was killed, or another delivery of the same, may
 * still be writing files of the same names.
 * @throws JobError `user` when the disk is full or cannot be written.
 */
export async function ownFolder(folder: string, prefix: string): Promise<string> {
  try {
    await mkdir(folder, { recursive: true });
    return await mkdtemp(path.join(folder, prefix));
  } catch (cause) {
    throw diskError(cause, folder);
  }
}

/** Bytes that are left on the disk of a folder; any number of them where nobody can tell. */
export const freeBytesOf = (folder: string): Promise<number> =>
  statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => Infinity,
  );

/** Names the remedy when a file could not be written; passes any other error on. */
export function diskError(cause: unknown, folder: string): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOSPC') {
    return new JobError(
      'user',
      `The disk of the temporary folder ${folder} is full; free some space or set TEMP_FOLDER to a folder on a larger disk.`,
      { cause },
    );
  }
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') {
    return new JobError(
      'user',
      `The temporary folder ${folder} cannot be written; set TEMP_FOLDER to a folder that can.`,
      { cause },
    );
  }
  return cause;
}
