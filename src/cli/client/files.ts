import { randomBytes } from 'node:crypto';
import { link, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BlockBlobClient } from '@azure/storage-blob';
import { again, isPassing, saveWhole, STORAGE_OPTIONS } from '../../container-contract/storage-access.js';
import { JobError, messageOf } from '../../job/failure.js';
import { isAlive } from '../../processes/living.js';

/**
 * @returns the ETag of what it has become.
 * @throws JobError `user` when the file can no longer be read, `platform` when storage does not take it.
 */
export function uploadFile(url: string, file: string, abortSignal: AbortSignal): Promise<string> {
  return uploading(file, async () => {
    const blob = new BlockBlobClient(url, undefined, STORAGE_OPTIONS);
    const { etag = '' } = await again(() => blob.uploadFile(file, { abortSignal }), abortSignal);
    return etag;
  });
}

/** The same with the sentences for what fails. @throws JobError as `uploadFile`. */
export async function uploading<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof JobError) throw cause;
    const why = reasonOf(cause);
    throw isOfFileSystem(cause)
      ? new JobError('user', `${file} cannot be read (${why}); check the file and its permissions.`, { cause })
      : new JobError('platform', `${file} could not be uploaded (${why}); run the command again.`, { cause });
  }
}

/** Removes what is at a URL, if it is there. @throws JobError `platform` when storage does not. */
export async function removeFile(url: string): Promise<void> {
  try {
    await new BlockBlobClient(url, undefined, STORAGE_OPTIONS).deleteIfExists();
  } catch (cause) {
    const { pathname } = new URL(url);
    const why = reasonOf(cause);
    throw new JobError('platform', `${pathname} in the storage of the app could not be removed (${why}).`, { cause });
  }
}

/**
 * Saves what is at a URL as a file, whole or not at all.
 * @param overwrite whether it may replace a file that is not empty and has other bytes; else it is saved beside that one, and the error says where.
 * @throws JobError `user` when it cannot be written there, `platform` when the download breaks off.
 */
export async function downloadFile(
  url: string,
  target: string,
  { overwrite, abortSignal }: { overwrite: boolean; abortSignal: AbortSignal },
): Promise<void> {
  const blob = new BlockBlobClient(url, undefined, STORAGE_OPTIONS);
  await saveFile(target, overwrite, (part) => saveWhole(blob, part, abortSignal));
}

/** Saves bytes as a file: as `downloadFile`. */
export const saveBytes = (bytes: Uint8Array, target: string, overwrite: boolean) =>
  saveFile(target, overwrite, (part) => writeFile(part, bytes, { flag: 'wx' }));

async function saveFile(target: string, overwrite: boolean, write: (part: string) => Promise<void>): Promise<void> {
  const part = partOf(target);
  try {
    await write(part);
    await place(part, target, overwrite);
  } catch (cause) {
    if (cause instanceof JobError) throw cause;
    const why = reasonOf(cause);
    const sentence = isOfFileSystem(cause)
      ? `${target} could not be written (${why}); free some space or name another place with --out.`
      : `${target} could not be downloaded (${why}); run the command again.`;
    throw new JobError(isOfFileSystem(cause) ? 'user' : 'platform', sentence, { cause });
  } finally {
    await rm(part, { force: true });
  }
}

let parts = 0;
/** A file beside the target, which no other command writes to. */
function partOf(target: string): string {
  parts += 1;
  return path.join(path.dirname(target), `.part-${process.pid}-${parts}`);
}

/** Removes what commands that were killed have left half-written in a folder. */
export async function removeParts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const [, pid] = /^\.part-(\d+)-\d+$/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) await rm(path.join(folder, name), { force: true });
  }
}

async function place(part: string, target: string, overwrite: boolean): Promise<void> {
  const existing = await stat(target).catch(() => undefined);
  if (!overwrite && existing === undefined) {
    // Unlike a rename, a link replaces nothing that has come since.
    const linked = await link(part, target).then(
      () => true,
      () => false,
    );
    if (linked) return;
  }
  const there = await stat(target).catch(() => undefined);
  if (overwrite || there === undefined || there.size === 0) return rename(part, target);
  // A command that was killed while it saved the same result has left it there.
  if (await haveSameBytes(part, target)) return;
  const { dir, name, ext } = path.parse(target);
  const kept = path.join(dir, `${name}-${randomBytes(4).toString('hex')}${ext}`);
  await rename(part, kept);
  throw new JobError('user', `${target} was written by another program meanwhile, so the result is in ${kept}.`);
}

const COMPARED_BYTES = 1024 * 1024;

async function haveSameBytes(...files: [string, string]): Promise<boolean> {
  const opened = await Promise.all(files.map((file) => open(file)));
  try {
    for (;;) {
      const read = await Promise.all(opened.map((each) => each.read(Buffer.alloc(COMPARED_BYTES))));
      const [one, other] = read.map(({ buffer, bytesRead }) => buffer.subarray(0, bytesRead));
      if (!one || !other || !one.equals(other)) return false;
      if (one.length === 0) return true;
    }
  } finally {
    for (const each of opened) await each.close();
  }
}

const reasonOf = (cause: unknown) => messageOf(cause).replace(/\.$/, '');

/** Whether a file failed, not a connection: the system numbers the errors of both. */
const isOfFileSystem = (error: unknown) => error instanceof Error && 'errno' in error && !isPassing(error);
