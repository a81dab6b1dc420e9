import { open, opendir, stat } from 'node:fs/promises';
import path from 'node:path';
import { JobError, messageOf } from '../../job/failure.js';
import { isNamedAsPicture, KIND_BYTES, pictureKind } from '../../job/picture-kind.js';

export interface PictureFile {
  file: string;
  /** Below the folder, with "/" on every system. */
  name: string;
}

/**
 * The pictures in a folder and its sub-folders: by name or, where the name does not tell, by content. Names that begin with a
 * dot, links to folders and the folder `except` are left out.
 * @throws JobError `user`: a folder or a file cannot be read.
 */
export async function* findPictureFiles(folder: string, except: string, below = ''): AsyncGenerator<PictureFile> {
  try {
    for await (const entry of await opendir(path.join(folder, below))) {
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      const file = path.join(folder, name);
      if (entry.name.startsWith('.') || file === except) continue;
      if (entry.isDirectory()) yield* findPictureFiles(folder, except, name);
      else if (await isPicture(file)) yield { file, name };
    }
  } catch (cause) {
    if (cause instanceof JobError) throw cause;
    throw new JobError(
      'user',
      `The folder ${folder} cannot be read (${messageOf(cause)}); check what is in it and its permissions.`,
      { cause },
    );
  }
}

async function isPicture(file: string): Promise<boolean> {
  if (!(await stat(file)).isFile()) return false;
  if (isNamedAsPicture(file)) return true;
  const opened = await open(file);
  try {
    const { buffer, bytesRead } = await opened.read(Buffer.alloc(KIND_BYTES), 0, KIND_BYTES, 0);
    return pictureKind(buffer.subarray(0, bytesRead)) !== undefined;
  } finally {
    await opened.close();
  }
}
