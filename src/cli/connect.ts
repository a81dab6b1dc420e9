import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { JobError } from '../job/failure.js';
import type { JobClient } from './client.js';
import type { JobOptions } from './run-job.js';
import { findStack, isAlive, startStack } from './stack.js';

/** Ends the name of a compute whose Azure is a stand-in on this machine. */
export const EMULATED = '-emulated';

export interface Connection {
  client: JobClient;
  stop: () => Promise<void>;
}

/** The deployed app, the local stack that runs already, or one of its own that lives as long as this job. */
export async function connect({ url, key, data, env, compute }: JobOptions): Promise<Connection> {
  const emulateAzure = compute?.endsWith(EMULATED) ?? false;
  if (url !== undefined && emulateAzure)
    throw new JobError('user', `The compute ${compute} runs on this machine only; leave --url or --compute out.`);
  const running = url !== undefined ? { url } : emulateAzure ? undefined : await findStack(data);
  // The client brings the storage SDK, which loads while the stack starts.
  const loading = import('./client.js');
  const stack = running
    ? { url: running.url, stop: () => Promise.resolve() }
    : await startOwnStack(data, emulateAzure, env);
  const { createJobClient } = await loading;
  return { client: createJobClient(stack.url, key), stop: stack.stop };
}

async function startOwnStack(
  data: string,
  emulateAzure: boolean,
  env: NodeJS.ProcessEnv,
): Promise<{ url: string; stop: () => Promise<void> }> {
  await removeLeftovers(data);
  const folder = path.join(data, `job-${process.pid}`);
  await mkdir(folder, { recursive: true }).catch(() => undefined);
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const stack = await startStack({ folder, emulateAzure, env });
    return { url: stack.url, stop: () => stack.stop().then(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Removes the data of stacks whose process was killed before it could. */
async function removeLeftovers(data: string): Promise<void> {
  const names = await readdir(data).catch(() => []);
  for (const name of names) {
    const pid = /^job-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) await rm(path.join(data, name), { recursive: true, force: true });
  }
}
