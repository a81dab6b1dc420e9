import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ThisProcess } from '../../processes/living.js';
import { SCORES } from '../../stack/stack.js';
import { ownFolders } from './connect.js';

/**
 * A job that a `score` has started on this machine and whose result it has not saved yet, and the command's process: while that lives, nobody else
 * goes on with the job.
 */
export interface Unfinished extends ThisProcess {
  job: string;
  /** Tells whether another command asks for the same. */
  request: string;
  /** What the command was told, but for where the app is and how it shows its progress. */
  options: Record<string, unknown>;
  /** ISO 8601. */
  startedAt: string;
}

/** With the data folder of the local stack that has the job. */
export interface Found extends Unfinished {
  folder: string;
}

const fileOf = (folder: string, job: string) => path.join(folder, SCORES, `${job}.json`);

export async function noteUnfinished(folder: string, unfinished: Unfinished): Promise<void> {
  const file = fileOf(folder, unfinished.job);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(unfinished));
}

export const forgetUnfinished = (folder: string, job: string) => rm(fileOf(folder, job), { force: true });

/** Those of the data folder and of the stacks that commands have run below it, the latest first. */
export async function listUnfinished(data: string): Promise<Found[]> {
  const found: Found[] = [];
  for (const folder of [data, ...(await ownFolders(data))])
    for (const name of await readdir(path.join(folder, SCORES)).catch(() => [])) {
      const text = await readFile(path.join(folder, SCORES, name), 'utf8').catch(() => '');
      const unfinished = parse(text);
      if (unfinished) found.push({ ...unfinished, folder });
    }
  return found.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
}

function parse(text: string): Unfinished | undefined {
  try {
    return JSON.parse(text) as Unfinished;
  } catch {
    return undefined;
  }
}

/**
 * Tells whether two commands ask for the same: what they were told, and sizes and times of the files that they name.
 * @param files the video or the folder of images, the model and what belongs to it.
 */
export async function requestOf(options: object, files: (string | undefined)[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(options));
  for (const file of files) if (file !== undefined) for (const line of await linesOf(file)) hash.update(`${line}\n`);
  return hash.digest('hex');
}

async function linesOf(file: string): Promise<string[]> {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isDirectory()) return [`${file} ${found?.size} ${found?.mtimeMs}`];
  const names = (await readdir(file, { recursive: true })).toSorted();
  const lines: string[] = [];
  for (const name of names) {
    const inside = await stat(path.join(file, name)).catch(() => undefined);
    if (inside?.isFile()) lines.push(`${name} ${inside.size} ${inside.mtimeMs}`);
  }
  return lines;
}
