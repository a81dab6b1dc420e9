import { constants } from 'node:fs';
import { access, open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { JobError, messageOf } from '../job/failure.js';

/**
 * Checks a file that the user named before anything is started.
 * @throws JobError `user`: what is wrong with it and which option named it.
 */
export async function checkInputFile(file: string, what: string): Promise<void> {
  const facts = await stat(file).catch((cause: unknown) => {
    throw new JobError('user', `There is no ${what} ${file}; check the path.`, { cause });
  });
  if (!facts.isFile()) throw new JobError('user', `The ${what} ${file} is not a file; name a file.`);
  if (facts.size === 0) throw new JobError('user', `The ${what} ${file} is empty; copy or download it again.`);
  await access(file, constants.R_OK).catch((cause: unknown) => {
    throw new JobError('user', `The ${what} ${file} cannot be read; check its permissions.`, { cause });
  });
}

/** @throws JobError `user` when the file could not be written there at the end. */
export async function checkOutputFile(file: string, option: string): Promise<void> {
  const folder = path.dirname(file);
  const existing = await stat(file).catch(() => undefined);
  if (existing?.isDirectory()) throw new JobError('user', `${file} is a folder; name a file with ${option}.`);
  const parent = await stat(folder).catch(() => undefined);
  if (!parent?.isDirectory())
    throw new JobError('user', `The folder ${folder} does not exist; create it or name another file with ${option}.`);
  const part = `${file}.part`;
  try {
    // Only trying tells: permissions, read-only and special file systems.
    await (await open(part, 'w')).close();
    await rm(part);
  } catch (cause) {
    throw new JobError(
      'user',
      `${file} cannot be written (${messageOf(cause)}); check the permissions or name another file with ${option}.`,
      { cause },
    );
  }
}
