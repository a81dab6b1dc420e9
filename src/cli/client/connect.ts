import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { JobList, ListedJob } from '../../api/jobs.js';
import { JobError } from '../../job/failure.js';
import { holderOfFolder } from '../../processes/folder-lock.js';
import { isAlive } from '../../processes/living.js';
import { findStack, isOnlyOfStack, SCORES, startStack } from '../../stack/stack.js';
import { calling } from '../installed.js';
import { createPendingUploads } from './pending-uploads.js';
import type { JobClient } from './client.js';

/** Where a command's jobs run. */
export interface AppChoice {
  /** Address of a deployed app; without it, the local stack. */
  url?: string;
  /** Function key of the deployed app. */
  key?: string;
  /** Data folder of the local stack. */
  data: string;
  /** What runs the containers; a name that ends in EMULATED needs a local stack of its own, with a stand-in for Azure. */
  compute?: string;
  /** What does so where that has no room. */
  fallback?: string[];
  /** The job to go on with, the data folder of the stack that has it, where that is known, and what is to be different from now on. */
  resume?: { job: string; folder?: string; changes?: object };
  env: NodeJS.ProcessEnv;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}

/** Ends the name of a compute whose Azure is a stand-in on this machine. */
export const EMULATED = '-emulated';

/** Of a name that may be followed by a region. */
export const isEmulated = (compute: string) => compute.split(':')[0]?.endsWith(EMULATED) === true;

export interface Connection {
  client: JobClient;
  /** Aborted with a JobError `platform` when a part of the command's own stack ends by itself: there is nothing left to wait for. */
  lost: AbortSignal;
  /** Whether it is the local stack of another command, and that has ended. */
  hasEnded: () => Promise<boolean>;
  /** Whether the app is there for this command alone. */
  isOwn: boolean;
  /** Data folder of the local stack; undefined for a deployed app. */
  folder: string | undefined;
  /** @param keeps leaves the data of the command's own stack for a later command. */
  stop: (keeps: boolean) => Promise<void>;
}

/** Connects to the deployed app, to the local stack that runs already, or to a stack of its own that lives as long as the command. */
export async function connect({
  url,
  key,
  data,
  env,
  compute,
  fallback = [],
  resume,
  signal,
}: AppChoice): Promise<Connection> {
  const computes = [...(compute === undefined ? [] : [compute]), ...fallback];
  const emulated = computes.find(isEmulated);
  const emulateAzure = emulated !== undefined;
  if (url !== undefined && emulateAzure)
    throw new JobError('user', `The compute ${emulated} runs on this machine only; leave it or --url out.`);
  const real = computes.find((each) => !isEmulated(each) && !each.startsWith('local'));
  if (real !== undefined && emulateAzure)
    throw new JobError('user', `${real} is in Azure, and ${emulated} on this machine only; leave one of them out.`);
  const folder = resume?.folder ?? data;
  const isOwn = folder !== data;
  const running = url !== undefined ? { url } : emulateAzure && !isOwn ? undefined : await findStack(folder);
  if (!running && resume && resume.folder === undefined) throw await noStack(data);
  // The client brings the storage SDK, which loads while the stack starts.
  const loading = import('./client.js');
  const stack = running
    ? {
        url: running.url,
        lost: new AbortController().signal,
        folder: url === undefined ? folder : undefined,
        stop: () => Promise.resolve(),
      }
    : await startOwnStack(data, emulateAzure, env, resume?.folder);
  const { createJobClient } = await loading;
  // A stack of the command's own is gone with it.
  const keeper = running === undefined ? undefined : createPendingUploads(data, url ?? `local ${folder}`);
  const client = createJobClient(stack.url, key, { lost: stack.lost, interrupted: signal }, keeper);
  const isAnothers = url === undefined && running !== undefined;
  const hasEnded = async () => isAnothers && (await findStack(data)) === undefined;
  return { client, lost: stack.lost, hasEnded, isOwn: running === undefined, folder: stack.folder, stop: stack.stop };
}

/**
 * The deployed app, or the local stack that runs; every request ends when `signal` is aborted.
 * @throws JobError `user` when no local stack runs.
 */
export async function findApp({
  url,
  key,
  data,
  signal,
}: Pick<AppChoice, 'url' | 'key' | 'data' | 'signal'>): Promise<JobClient> {
  const { createJobClient } = await import('./client.js');
  const ends = { lost: signal, interrupted: signal };
  if (url !== undefined) return createJobClient(url, key, ends);
  const stack = await findStack(data);
  if (!stack) throw await noStack(data);
  return createJobClient(stack.url, undefined, ends);
}

async function noStack(data: string): Promise<JobError> {
  const score = await howToAskScore(data);
  const start = `No local stack runs on ${data}; start it with "${calling('start')}", or name a deployed app with --url.`;
  return new JobError('user', score === undefined ? start : `No local stack runs on ${data}, but ${score}`);
}

/** How to reach the stack that a `score` runs below the folder for the time of its job; undefined when none does. */
async function howToAskScore(data: string): Promise<string | undefined> {
  for (const folder of await ownFolders(data))
    if (await findStack(folder))
      return `"${calling('score')}" runs a stack of its own until its job is over; ask it with --data ${folder}.`;
  return undefined;
}

/** @throws JobError `user` for what no job can be called, so that the app is asked nothing else. */
export function checkJobId(job: string): void {
  if (!/^[a-z0-9-]+$/.test(job))
    throw new JobError('user', `There is no job "${job}"; an id looks like coast-k3v9q2xa.`);
}

/** In place of an id: the job that was started last. */
export const LATEST = 'latest';

/**
 * The id of a job that the user names, or of the latest one.
 * @throws JobError `user` for what no job can be called, and when there is no job.
 */
export async function idOf(client: JobClient, job: string): Promise<string> {
  if (job !== LATEST) {
    checkJobId(job);
    return job;
  }
  const newest = await newestJob(client);
  if (!newest) throw noJobYet();
  return newest.id;
}

/** The job that the app has started last; undefined when it has started none. */
export async function newestJob(client: JobClient): Promise<ListedJob | undefined> {
  for (let from: string | null = ''; from !== null;) {
    const page: JobList = await client.jobs({ limit: 1, from });
    if (page.jobs[0]) return page.jobs[0];
    from = page.next;
  }
  return undefined;
}

export const noJobYet = () => new JobError('user', `There is no job yet; start one with: ${calling('score VIDEO')}`);

/** The error, or one that says where else the job may be. */
export async function orAskScore(
  { job, url, data }: Pick<AppChoice, 'url' | 'data'> & { job: string },
  error: unknown,
): Promise<unknown> {
  const isUnknown = error instanceof JobError && error.message === `There is no job "${job}".`;
  const score = isUnknown && url === undefined ? await howToAskScore(data) : undefined;
  return score === undefined ? error : new JobError('user', `There is no job "${job}" here, but ${score}`);
}

const OWN_FOLDER = /^job-(\d+)$/;

/** Folders of stacks that live as long as a command. */
export const ownFolders = async (data: string): Promise<string[]> =>
  (await readdir(data).catch(() => [])).filter((name) => OWN_FOLDER.test(name)).map((name) => path.join(data, name));

async function startOwnStack(
  data: string,
  emulateAzure: boolean,
  env: NodeJS.ProcessEnv,
  earlier: string | undefined,
): Promise<Pick<Connection, 'lost' | 'folder' | 'stop'> & { url: string }> {
  await removeLeftovers(data, earlier);
  const folder = earlier ?? path.join(data, `job-${process.pid}`);
  // The folder of all stacks is not the command's to remove.
  const remove = async () => {
    if (folder !== data) await rm(folder, { recursive: true, force: true });
  };
  try {
    const stack = await startStack({ folder, emulateAzure, env });
    const lost = new AbortController();
    void stack.ended.then((ended) => lost.abort(givenUp(ended)));
    // The logs of a stack that broke stay until the next job.
    const stop = async (keeps: boolean) => {
      await stack.stop();
      if (keeps || folder === data) return;
      await (lost.signal.aborted ? removeAllButLogs(folder) : remove());
    };
    return { url: stack.url, lost: lost.signal, folder, stop };
  } catch (error) {
    // What could not be made cannot be removed, and what an earlier command has left is not lost.
    if (earlier === undefined) await remove().catch(() => undefined);
    throw error;
  }
}

const givenUp = (ended: string) => new JobError('platform', `${ended}, so the job was given up.`);

async function removeAllButLogs(folder: string): Promise<void> {
  const names = await readdir(folder);
  for (const name of names.filter((each) => !each.endsWith('.log')))
    await rm(path.join(folder, name), { recursive: true, force: true });
}

/** A folder that nobody has yet may be about to be taken. */
const NEW_MS = 60_000;

/** For so long a command that comes later can go on with a job. */
const KEPT_MS = 7 * 86_400_000;

/** Whether a stack has a job that a command can go on with. */
async function hasUnfinished(folder: string): Promise<boolean> {
  const scores = path.join(folder, SCORES);
  const names = await readdir(scores).catch(() => []);
  return names.length > 0 && Date.now() - (await timeOf(scores)) < KEPT_MS;
}

/** Removes the data of stacks whose process was killed before it could do so itself, and the logs of those that broke. */
async function removeLeftovers(data: string, except: string | undefined): Promise<void> {
  for (const folder of await ownFolders(data)) {
    if (folder === except || (await hasUnfinished(folder))) continue;
    const pid = Number(OWN_FOLDER.exec(path.basename(folder))?.[1]);
    // The number of a process that was killed may be another's by now, even this one's.
    const isTaken = isAlive(pid) && pid !== process.pid && Date.now() - (await timeOf(folder)) < NEW_MS;
    if (!isTaken && (await isOnlyOfStack(folder)) && !(await holderOfFolder(folder)))
      await rm(folder, { recursive: true, force: true });
  }
}

const timeOf = (folder: string) =>
  stat(folder).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
