import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import pMap from 'p-map';
import { JobError, messageOf } from '../../job/failure.js';
import { groupsOf } from '../../job/groups.js';
import { PREDICTIONS_JSONL } from '../../job-store/layout.js';
import type { FileList } from '../../triggers/list-files.js';
import type { JobClient } from './client.js';
import { findPictureFiles } from '../commands/picture-files.js';

const TRANSFERS = 8;
/** Images that one request asks a place for. */
const PLACED_AT_ONCE = 1000;

/**
 * Uploads the pictures of a folder and returns the prefix that a job specification names.
 * @throws JobError `user` when there are none.
 */
export async function uploadFolder(client: JobClient, folder: string, except: string): Promise<string> {
  let stored: string | undefined;
  for await (const group of groupsOf(findPictureFiles(folder, except), PLACED_AT_ONCE)) {
    const names = group.map(({ name }) => name);
    const placed = await client.placeImages(folder, names, stored);
    stored = placed.path;
    await pMap(group, ({ file }, k) => client.put(placed.urls[k] ?? '', file), { concurrency: TRANSFERS });
  }
  if (stored === undefined) throw new JobError('user', `There are no images in ${folder}; name a folder of images.`);
  return stored;
}

/** Downloads all outputs of an image folder, each file whole or not at all. @returns whether predictions are among them. */
export async function downloadFolder(client: JobClient, id: string, folder: string): Promise<boolean> {
  let predictions = false;
  for await (const files of client.files(id)) {
    await pMap(files, (file) => download(client, file, folder), { concurrency: TRANSFERS });
    predictions ||= files.some(({ name }) => name === PREDICTIONS_JSONL);
  }
  return predictions;
}

async function download(client: JobClient, { name, url }: FileList['files'][number], folder: string): Promise<void> {
  const target = path.resolve(folder, name);
  if (!target.startsWith(folder + path.sep))
    throw new JobError('user', `The output "${name}" would leave ${folder}, so it is not saved.`);
  await mkdir(path.dirname(target), { recursive: true }).catch((cause: unknown) => {
    throw new JobError(
      'user',
      `${path.dirname(target)} cannot be made (${messageOf(cause)}); name another folder with --out.`,
      { cause },
    );
  });
  await client.fetch(url, target);
}
