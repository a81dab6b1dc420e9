import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { counted, JobError, messageOf, unbroken } from '../../job/failure.js';
import { findEntries } from '../../job-store/list/job-list.js';
import { bytesOfJob, dueOf, listJobs, listWithoutRecords, removeJob } from '../../job-store/retention.js';
import { FolderInUse, type FolderLock, holderOfFolder, lockFolder } from '../../processes/folder-lock.js';
import { startAzurite } from '../../stack/azurite.js';
import { isOfStack, isOnlyOfStack, isOwnTemp } from '../../stack/stack.js';
import { openStorage, type Storage } from '../../storage/storage.js';
import { forgetUnfinished } from '../client/unfinished.js';
import { addData, addExamples, addJson, type Define, wholeNumber } from '../around.js';
import { isOfTraces } from '../trace/span-files.js';

export const define: Define = (command, around) => {
  command
    .option('--yes', 'remove what is listed', false)
    .option('--days <n>', 'leave jobs alone that ended in the last days', wholeNumber(0, 36_500), 0)
    .option('--all', 'everything goes: uploads, outputs, models and jobs that have not ended, too', false);
  addData(addJson(command), around).action(async ({ data: folder, ...flags }: Flags) => {
    const { env, json, print } = around;
    const found = await clean({
      ...flags,
      folder,
      env,
      print: json ? () => undefined : (line) => print(unbroken(line)),
    });
    const left = found.map(({ what, bytes }) => ({ what, bytes }));
    if (json) print(JSON.stringify({ folder, removed: flags.yes, left }, null, 2));
  });
  addExamples(
    command,
    ['what could go, and how large it is'],
    ['remove it', '--yes'],
    ['what jobs have left that ended more than a week ago', '--days', '7'],
  );
};

interface Flags extends Pick<CleanOptions, 'yes' | 'days' | 'all'> {
  data: string;
}

export interface CleanOptions {
  /** Data folder of the local stack. */
  folder: string;
  /** Removes what is listed; without it nothing is removed. */
  yes: boolean;
  /** Everything goes, also uploads, outputs, models and jobs that have not ended. */
  all: boolean;
  /** Jobs that ended in these last days stay. */
  days: number;
  env: NodeJS.ProcessEnv;
  print: (line: string) => void;
}

/** Something that takes up room and goes. */
interface Goes {
  what: string;
  bytes: number;
  remove: () => Promise<unknown>;
}

/**
 * Lists what takes up room in the data folder of a local stack that does not run, and removes it when told to: what ended jobs and commands
 * that were killed have left. Uploads and outputs stay, and so do jobs that go on at the next start.
 * @returns what was listed.
 * @throws JobError `user` when the stack runs.
 */
export async function clean(options: CleanOptions): Promise<Goes[]> {
  const { folder, yes, all, env, print } = options;
  const nothing = (why: string) => {
    print(why);
    return [];
  };
  if (!(await exists(folder))) return nothing(`There is no folder ${folder}, so there is nothing to clean.`);
  if (!(await readdir(folder)).some(isOfStack)) return nothing(`There is nothing of a local stack in ${folder}.`);
  const found: Goes[] = [];
  const going = () => (all ? everything(folder) : leftovers(folder));
  let lock = await take(folder);
  if (lock === undefined) {
    print(`The disk of ${folder} is full.`);
    // Nobody can start a stack there now, and what needs no storage can go.
    found.push(...(await go(await going(), options)));
    if (!yes || all) return found;
    lock = await take(folder);
    if (lock === undefined) throw new JobError('user', FULL);
  }
  try {
    const before = await bytesBelow(folder);
    if (all || !(await exists(path.join(folder, 'azurite')))) found.push(...(await go(await going(), options)));
    else {
      await withAzurite(folder, env, async (storage) => {
        found.push(...(await go([...(await going()), ...(await endedJobs(storage, options))], options)));
      });
      // Azurite gives room back when it starts.
      if (yes) await withAzurite(folder, env, () => settled(folder));
    }
    // What Azurite writes as it starts may be more than it gives back.
    if (yes) print(`${megabytes(Math.max(0, before - (await bytesBelow(folder))))} of disk are free again.`);
    return found;
  } finally {
    await lock.release();
  }
}

const FULL =
  'What ended jobs have left cannot be removed while the disk is full: free a few megabytes of it first, or remove everything with --all.';

/** @returns undefined when nobody has the folder and its disk has no room for a lock. */
async function take(folder: string): Promise<FolderLock | undefined> {
  try {
    return await lockFolder(folder);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC') return undefined;
    const sentence =
      cause instanceof FolderInUse
        ? `The local stack runs on ${folder} (process ${cause.holder.pid}); stop it before you clean.`
        : `The folder ${folder} cannot be cleaned: ${messageOf(cause)}.`;
    throw new JobError('user', sentence, { cause });
  }
}

async function withAzurite(folder: string, env: NodeJS.ProcessEnv, work: (storage: Storage) => Promise<void>) {
  const azurite = await startAzurite(folder, env);
  try {
    const connection = azurite.connectionString;
    const noLogin = () => {
      throw new Error('An Azurite needs no login.');
    };
    await work(openStorage({ mediaConnection: connection, internalConnection: connection }, noLogin));
  } finally {
    await azurite.stop();
  }
}

/** Whatever a local stack has put into the folder. */
async function everything(folder: string): Promise<Goes[]> {
  const found: Goes[] = [];
  for (const name of await readdir(folder)) {
    if (!isOfStack(name) || /^lock-\d+$/.test(name) || !(await isOwn(folder, name))) continue;
    found.push(await filesOf(folder, name));
  }
  return found;
}

/** Whether a folder that is called like one of a local stack is one. */
async function isOwn(folder: string, name: string): Promise<boolean> {
  if (name === 'temp') return isOwnTemp(folder);
  if (name === 'telemetry') return (await readdir(path.join(folder, name))).every(isOfTraces);
  return !name.startsWith('job-') || isOnlyOfStack(path.join(folder, name));
}

/** Folders of commands that were killed, temporary files, and traces. */
async function leftovers(folder: string): Promise<Goes[]> {
  const found: Goes[] = [];
  for (const name of await readdir(folder)) {
    const left =
      ['temp', 'telemetry'].includes(name) ||
      (/^job-\d+$/.test(name) && !(await holderOfFolder(path.join(folder, name))));
    if (left && (await isOwn(folder, name))) found.push(await filesOf(folder, name));
  }
  return found;
}

async function filesOf(folder: string, name: string): Promise<Goes> {
  const target = path.join(folder, name);
  return { what: name, bytes: await bytesBelow(target), remove: () => rm(target, { recursive: true, force: true }) };
}

/** What ended jobs have left in storage; says how many have not ended. */
async function endedJobs(storage: Storage, { folder, days, print }: CleanOptions): Promise<Goes[]> {
  const found: Goes[] = [];
  const entries = await findEntries(storage);
  let unfinished = 0;
  for (const jobs of [listJobs(storage), listWithoutRecords(storage, entries)])
    for await (const job of jobs) {
      const { jobId, outcome, since } = job;
      if (outcome === 'unfinished') unfinished += 1;
      // A tiny part of a day, so that no days at all are not taken for ever.
      else if (dueOf(job, { framesDays: 0, recordsDays: days || Number.MIN_VALUE }, Date.now()).records)
        found.push({
          what: `job ${jobId}, ${outcome} on ${new Date(since).toISOString().slice(0, 10)}`,
          bytes: await bytesOfJob(storage, jobId),
          remove: async () => {
            await removeJob(storage, jobId, { records: true, listed: entries.get(jobId) });
            // A command that was killed would go on with it.
            await forgetUnfinished(folder, jobId);
          },
        });
    }
  if (unfinished > 0) print(`Left alone, since they go on at the next start: ${counted(unfinished, 'job')}.`);
  return found;
}

const LISTED = 30;

async function go(going: Goes[], { yes, print }: CleanOptions): Promise<Goes[]> {
  const largest = going.toSorted((one, other) => other.bytes - one.bytes);
  for (const { what, bytes } of largest.slice(0, LISTED)) print(`${megabytes(bytes).padStart(12)}  ${what}`);
  if (largest.length > LISTED) print(`and ${largest.length - LISTED} more, which are smaller`);
  const total = megabytes(going.reduce((sum, { bytes }) => sum + bytes, 0));
  if (going.length === 0) print('There is nothing to remove.');
  else if (!yes) print(`${total} in all. Nothing has been removed yet: add --yes to remove it.`);
  else {
    for (const { remove } of going) await remove();
    print(`${total} in all have been removed.`);
  }
  return largest;
}

const LOOK_MS = 500;
const MOST_LOOKS = 60;
/** Azurite looks for them a moment after its start. */
const SAME = 8;

/** Waits until Azurite has removed the files that it no longer needs. */
async function settled(folder: string): Promise<void> {
  let last = -1;
  for (let same = 0, looks = 0; same < SAME && looks < MOST_LOOKS; looks += 1) {
    const bytes = await bytesBelow(folder);
    same = bytes === last ? same + 1 : 0;
    last = bytes;
    await pause(LOOK_MS);
  }
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

const exists = (file: string) =>
  stat(file).then(
    () => true,
    () => false,
  );

async function bytesBelow(target: string): Promise<number> {
  const found = await stat(target).catch(() => undefined);
  if (!found?.isDirectory()) return found?.size ?? 0;
  let bytes = 0;
  for (const name of await readdir(target).catch(() => [])) bytes += await bytesBelow(path.join(target, name));
  return bytes;
}
