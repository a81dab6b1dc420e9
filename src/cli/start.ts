import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { JobError } from '../job/failure.js';
import { findStack, type StackOptions, startStack } from './stack.js';

/**
 * Runs the local stack until the signal, then stops everything it started.
 * @throws JobError `user` when one runs already; `platform` when a part of it ends by itself.
 */
export async function start({ signal, ...options }: StackOptions & { signal: AbortSignal }): Promise<void> {
  const running = await findStack(options.folder);
  if (running)
    throw new JobError(
      'user',
      `The local stack runs already at ${running.url} (process ${running.pid}); use it, or stop it with Ctrl-C where it was started.`,
    );
  await mkdir(options.folder, { recursive: true }).catch(() => undefined);
  const stack = await startStack(options);
  console.log(`The app listens on ${stack.url}; start jobs with: npm run score -- VIDEO`);
  console.log(`Logs are in ${options.folder}. Ctrl-C stops everything.`);
  const ended = stack.children.map((child) => once(child.process, 'close', { signal }));
  try {
    await Promise.race([...ended, once(signal, 'abort')]);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await stack.stop();
  }
  for (const pending of ended) pending.catch(() => undefined);
  if (!signal.aborted)
    throw new JobError('platform', `A part of the local stack ended by itself; the logs in ${options.folder} say why.`);
}
