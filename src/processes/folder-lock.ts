import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lives, type ThisProcess, startOf } from './living.js';

/** A process that holds a folder. */
export interface Holder extends ThisProcess {
  host: string;
}

export interface FolderLock {
  /** Lets others have the folder. */
  release: () => Promise<void>;
}

/** Somebody else has the folder. */
export class FolderInUse extends Error {
  readonly holder: Holder;

  constructor(folder: string, holder: Holder) {
    const elsewhere = holder.host === os.hostname() ? '' : ` on ${holder.host}`;
    super(`The folder ${folder} is in use by process ${holder.pid}${elsewhere}.`);
    this.holder = holder;
  }
}

const NAME = /^lock-(\d+)$/;
const LOOK_AGAIN_MS = 50;
/** A lock that names nobody yet is being written. */
const WRITING_MS = 2000;
/** Whether a process of another machine or container lives shows in the time of its lock only. */
const SIGN_OF_LIFE_MS = 5000;
const SILENT_MS = 4 * SIGN_OF_LIFE_MS;

/**
 * Takes a folder for this process alone, until it is released or the process ends, however it ends. The file `lock-N` with the highest number
 * names the process that has the folder; whoever finds that it lives no more makes the next file, which only one can. The last file is never
 * removed, so that nobody who looked too long ago takes an old number for the next.
 * @param patienceMs how long to wait for another process to end.
 * @throws FolderInUse when another process has it; the system's error when the folder cannot be written.
 */
export async function lockFolder(folder: string, patienceMs = 0): Promise<FolderLock> {
  const me: Holder = { host: os.hostname(), pid: process.pid, started: await startOf(process.pid) };
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const last = Math.max(0, ...(await numbersIn(folder)));
    const holder = last === 0 ? undefined : await holderOf(lockFile(folder, last));
    if (holder === 'being written' || (holder && Date.now() < deadline)) {
      await sleep(LOOK_AGAIN_MS);
      continue;
    }
    if (holder) throw new FolderInUse(folder, holder);
    const file = lockFile(folder, last + 1);
    if (!(await create(file, me))) continue;
    const numbers = await numbersIn(folder);
    if (Math.max(...numbers) > last + 1) {
      await rm(file);
      continue;
    }
    for (const number of numbers) if (number <= last) await rm(lockFile(folder, number), { force: true });
    const alive = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => undefined), SIGN_OF_LIFE_MS);
    alive.unref();
    return {
      release: async () => {
        clearInterval(alive);
        await writeFile(file, JSON.stringify(null)).catch(() => undefined);
      },
    };
  }
}

/** The living process that has the folder. */
export async function holderOfFolder(folder: string): Promise<Holder | undefined> {
  const last = Math.max(0, ...(await numbersIn(folder)));
  const holder = last === 0 ? undefined : await holderOf(lockFile(folder, last));
  return holder === 'being written' ? undefined : holder;
}

const lockFile = (folder: string, number: number) => path.join(folder, `lock-${number}`);

const numbersIn = async (folder: string) =>
  (await readdir(folder)).flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number);

/** @returns false when somebody was faster. */
async function create(file: string, me: Holder): Promise<boolean> {
  try {
    await writeFile(file, JSON.stringify(me), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    await rm(file, { force: true });
    throw error;
  }
}

/** Who has this lock, if anybody lives who has it. */
async function holderOf(file: string): Promise<Holder | 'being written' | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
    const age = Date.now() - mtimeMs;
    if (text === '') return age < WRITING_MS ? 'being written' : undefined;
    const holder = JSON.parse(text) as Holder | null;
    if (holder === null) return undefined;
    if (holder.host !== os.hostname()) return age < SILENT_MS ? holder : undefined;
    return (await lives(holder)) ? holder : undefined;
  } catch {
    // It was removed in between, or is no lock.
    return undefined;
  }
}
