import { createReadStream } from 'node:fs';
import { mkdir, open, opendir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import pMap from 'p-map';
import { counted, JobError, messageOf } from '../../job/failure.js';
import { isSoundBeside } from '../../job/items/frame-folder.js';
import { groupsOf } from '../../job/items/item-list.js';
import { type FileKind, fileKindByName, fileKindByStart, KIND_BYTES, PICTURE_KINDS } from '../../job/items/formats.js';
import { BROKEN_LINK, HIDDEN_FOLDER, HIDDEN_PICTURE, type LeftOut, LINKED_FOLDER } from '../../job/items/left-out.js';
import { isJsonList, readNames } from '../../job/items/name-list.js';
import { PREDICTIONS_JSONL } from '../../job-store/layout.js';
import type { FileList } from '../../api/jobs.js';
import type { JobClient, Uploader } from './client.js';

/** Files that are moved at once. */
const TRANSFERS = 8;
/** Images per request for upload URLs. */
const PLACED_AT_ONCE = 1000;

export interface PictureFile {
  file: string;
  /** Below the folder, with "/" on every system. */
  name: string;
}

/**
 * The pictures in a folder and its sub-folders, told by their names or, where the name does not tell, by their content.
 * @param except the folder or file in there that is something else.
 * @param leftOut counts the other files, and what is hidden or a link to a folder.
 * @throws JobError `user` when a folder or a file cannot be read.
 */
export async function* findPictures(
  folder: string,
  except: string,
  leftOut: LeftOut,
  below = '',
): AsyncGenerator<PictureFile> {
  try {
    for await (const entry of await opendir(path.join(folder, below))) {
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      const file = path.join(folder, name);
      if (file === except) continue;
      if (entry.name.startsWith('.')) await leaveHidden(file, name, leftOut);
      else if (entry.isDirectory()) yield* findPictures(folder, except, leftOut, name);
      else {
        const kind = await kindAt(file, name, entry.isSymbolicLink());
        if (kind === 'picture') yield { file, name };
        else leftOut.add(kind === LINKED_FOLDER ? `${name}/` : name, kind);
      }
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

async function kindAt(file: string, name: string, isLink: boolean): Promise<FileKind> {
  const found = await stat(file).catch((cause: unknown) => {
    if (isLink) return undefined;
    throw cause;
  });
  if (found === undefined) return BROKEN_LINK;
  if (found.isDirectory()) return LINKED_FOLDER;
  return found.isFile() ? kindOf(file, name) : undefined;
}

/** Whatever cannot be read of it stops nothing: editors leave links to nowhere. */
async function leaveHidden(file: string, name: string, leftOut: LeftOut): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isDirectory()) return leftOut.add(`${name}/`, HIDDEN_FOLDER);
  const kind = found?.isFile() ? await kindOf(file, name).catch(() => undefined) : undefined;
  leftOut.add(name, kind === 'picture' ? HIDDEN_PICTURE : kind);
}

async function kindOf(file: string, name: string): Promise<FileKind> {
  const kind = fileKindByName(name);
  if (kind !== undefined) return kind;
  const opened = await open(file);
  try {
    const { buffer, bytesRead } = await opened.read(Buffer.alloc(KIND_BYTES), 0, KIND_BYTES, 0);
    return fileKindByStart(buffer.subarray(0, bytesRead));
  } finally {
    await opened.close();
  }
}

/**
 * The sound that lies beside the frames in a folder; undefined when none does.
 * @throws JobError `user` when several do.
 */
export async function findSound(folder: string): Promise<string | undefined> {
  const sounds = (await readdir(folder)).filter((name) => isSoundBeside(name));
  if (sounds.length > 1)
    throw new JobError(
      'user',
      `Several sounds lie beside the frames in ${folder} (${sounds.join(', ')}); leave one there, or name one with --audio.`,
    );
  return sounds[0] === undefined ? undefined : path.join(folder, sounds[0]);
}

/** The error for a folder without pictures. */
export function noPictures(folder: string, leftOut: LeftOut): JobError {
  const found = leftOut.summary();
  const instead = found === 'nothing' ? 'which has no files that count' : `but ${found}`;
  return new JobError(
    'user',
    `There are no images (${PICTURE_KINDS}) in ${folder}, ${instead}; name a folder of images.`,
  );
}

/**
 * Uploads the pictures of a folder and returns the prefix that a job specification names.
 * @param leftOut counts the files that stay behind.
 * @param only the names of those that are meant; all, when left out.
 * @throws JobError `user` when there are none.
 */
export async function uploadFolder(
  client: Uploader,
  folder: string,
  except: string,
  leftOut: LeftOut,
  only?: Set<string>,
): Promise<string> {
  let stored: string | undefined;
  const pictures = only === undefined ? findPictures(folder, except, leftOut) : named(folder, only);
  for await (const group of groupsOf(pictures, PLACED_AT_ONCE)) {
    const names = group.map(({ name }) => name);
    const placed = await client.placeImages(folder, names, stored);
    stored = placed.path;
    await pMap(group, ({ file }, k) => client.put(placed.urls[k] ?? '', file), { concurrency: TRANSFERS });
  }
  if (stored === undefined) throw noPictures(folder, leftOut);
  return stored;
}

async function* named(folder: string, names: Set<string>): AsyncGenerator<PictureFile> {
  for (const name of names) yield { file: path.join(folder, name), name };
}

const EXAMPLES = 3;

/**
 * The images of a folder that a list names: a text file with a name in each line or, where its name ends in `.jsonl`, JSON objects with
 * `name`, as the failed items of a job.
 * @throws JobError `user` when the list cannot be read, or names something that is not in the folder.
 */
export async function readList(folder: string, file: string): Promise<Set<string>> {
  const names = new Set<string>();
  const missing: string[] = [];
  try {
    for await (const name of readNames(file, createReadStream(file), { isJson: isJsonList(file) })) {
      const found = await stat(path.join(folder, name)).catch(() => undefined);
      if (found?.isFile() === true) names.add(name);
      else missing.push(name);
    }
  } catch (cause) {
    if (cause instanceof JobError) throw cause;
    throw new JobError('user', `The list ${file} cannot be read (${messageOf(cause)}).`, { cause });
  }
  if (missing.length > 0)
    throw new JobError(
      'user',
      `${counted(missing.length, 'image')} in ${file} ${missing.length === 1 ? 'is' : 'are'} not in ${folder} (${missing.slice(0, EXAMPLES).join(', ')}${missing.length > EXAMPLES ? ', …' : ''}); correct the list.`,
    );
  if (names.size === 0) throw new JobError('user', `${file} names no image; leave --list out to score all.`);
  return names;
}

/** Downloads all outputs of an image folder, each file whole or not at all. @returns whether predictions are among them. */
export async function downloadFolder(
  client: JobClient,
  id: string,
  folder: string,
  overwrite = false,
): Promise<boolean> {
  let predictions = false;
  for await (const files of client.files(id)) {
    await pMap(files, (file) => download(client, file, folder, overwrite), { concurrency: TRANSFERS });
    predictions ||= files.some(({ name }) => name === PREDICTIONS_JSONL);
  }
  return predictions;
}

async function download(
  client: JobClient,
  { name, url }: FileList['files'][number],
  folder: string,
  overwrite: boolean,
): Promise<void> {
  const target = path.resolve(folder, name);
  if (!target.startsWith(folder + path.sep))
    throw new JobError('user', `The output "${name}" would be written outside ${folder}, so it is not saved.`);
  await mkdir(path.dirname(target), { recursive: true }).catch((cause: unknown) => {
    throw new JobError(
      'user',
      `${path.dirname(target)} cannot be made (${messageOf(cause)}); name another folder with --out.`,
      { cause },
    );
  });
  await client.fetch(url, target, overwrite);
}
