import { once } from 'node:events';
import { JobError } from '../../job/failure.js';
import { findStack, type StackOptions, startStack } from '../../stack/stack.js';

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
  const stack = await startStack(options);
  console.log(`The app listens on ${stack.url}; start jobs with: npm run score -- VIDEO`);
  console.log(`Logs are in ${options.folder}. Ctrl-C stops everything.`);
  const interrupted = signal.aborted ? undefined : once(signal, 'abort').then(() => undefined);
  const ended = await Promise.race([stack.ended, interrupted]);
  await stack.stop();
  if (ended !== undefined) throw new JobError('platform', `${ended}, so the local stack was stopped; start it again.`);
}
