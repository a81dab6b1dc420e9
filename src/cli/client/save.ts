import { rename, rm } from 'node:fs/promises';
import { JobError, messageOf } from '../../job/failure.js';

/**
 * Saves a file whole or not at all.
 * @param download writes the file to the path that it is given.
 * @throws JobError `user`: it cannot be written there; `platform`: the download broke off.
 */
export async function saveWhole(target: string, download: (part: string) => Promise<unknown>): Promise<void> {
  const part = `${target}.part`;
  try {
    await download(part);
    await rename(part, target);
  } catch (cause) {
    const why = messageOf(cause).replace(/\.$/, '');
    throw isOfFileSystem(cause)
      ? new JobError(
          'user',
          `${target} could not be written (${why}); free some space or name another place with --out.`,
          { cause },
        )
      : new JobError('platform', `${target} could not be downloaded (${why}); run the command again.`, { cause });
  } finally {
    await rm(part, { force: true });
  }
}

/** Both the system's files and its connections fail with a number; connections have names of their own. */
export const isOfFileSystem = (error: unknown) =>
  error instanceof Error && 'errno' in error && 'code' in error && !/^E(CONN|PIPE|TIMEDOUT)/.test(String(error.code));
