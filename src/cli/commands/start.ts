import { once } from 'node:events';
import { watch } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { JobError } from '../../job/failure.js';
import { poll } from '../../poll.js';
import { runChild } from '../../processes/child-process.js';
import { type Stack, type StackOptions, startStack } from '../../stack/stack.js';
import { calling, IS_CHECKOUT } from '../installed.js';

interface StartOptions extends Omit<StackOptions, 'spans'> {
  /** Rebuilds and restarts the app when its source changes. */
  watch: boolean;
  /** Shows the trace of each job that ends. */
  telemetry: boolean;
  /** Aborted by whatever ends the command. */
  signal: AbortSignal;
}

/**
 * Runs the local stack until the signal, then stops everything it started.
 * @throws JobError `user` when one runs already, or there are no sources to watch; `platform` when a part of it ends by itself.
 */
export async function start({ telemetry, ...options }: StartOptions): Promise<void> {
  if (options.watch && !IS_CHECKOUT)
    throw new JobError('user', '--watch rebuilds the sources of a checkout, and this package has none; leave it out.');
  if (!telemetry) return run(options);
  const { folder, env } = options;
  if (env.TELEMETRY_FILE)
    throw new JobError('user', 'With --telemetry the app writes to a file of the command; unset TELEMETRY_FILE.');
  const { followTraces } = await import('../trace/follow.js');
  const traces = await followTraces(folder, (text) => console.log(text));
  try {
    await run({ ...options, spans: traces.files.host, env: { ...env, TELEMETRY_FILE: traces.files.app } });
  } finally {
    await traces.stop();
  }
}

async function run({
  signal,
  watch: watched,
  ...options
}: Omit<StartOptions, 'telemetry'> & StackOptions): Promise<void> {
  const stack = await startStack({ ...options, watchInbox: true });
  console.log(`The app listens on ${stack.url}; start jobs with: ${calling('score VIDEO')}`);
  const [, blobs = ''] = /BlobEndpoint=([^;]+)/.exec(stack.storage) ?? [];
  console.log(`What is uploaded into ${blobs}/inbox starts jobs, too: ${calling('drop FILE')}`);
  console.log(`Logs are in ${options.folder}. Ctrl-C stops everything.`);
  if (options.spans !== undefined) console.log('The trace of each job is shown here when it ends.');
  const over = new AbortController();
  const watching = watched ? restartOnEdits(stack, options.env, AbortSignal.any([signal, over.signal])) : undefined;
  const interrupted = signal.aborted ? undefined : once(signal, 'abort').then(() => undefined);
  const ended = await Promise.race([stack.ended, interrupted]);
  over.abort();
  await watching;
  await stack.stop();
  if (ended !== undefined) throw new JobError('platform', `${ended}, so the local stack was stopped; start it again.`);
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const SOURCES = ['src', 'devhost/src'];
/** An editor may write several files, or one file in several steps. */
const SETTLED_MS = 200;

/** Rebuilds the app and restarts its host after every edit. What does not compile leaves the host running as it is. */
async function restartOnEdits(stack: Stack, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
  let edited: number | undefined;
  for (const folder of SOURCES)
    watch(path.join(ROOT, folder), { recursive: true, signal }, () => {
      edited = performance.now();
    });
  console.log(`The app restarts when a file in ${SOURCES.join(' or ')} changes.`);
  const settled = () => edited !== undefined && performance.now() - edited >= SETTLED_MS;
  for (;;) {
    await poll(() => Promise.resolve(signal.aborted || settled() || undefined), { pauseMs: 50, wake: signal });
    if (signal.aborted) return;
    edited = undefined;
    try {
      await build('node_modules/typescript/bin/tsc', ['--build', ROOT], env);
      await stack.restartHost(() => build('bundle.mjs', [], env));
      console.log(`${new Date().toLocaleTimeString()}: the app runs with your changes.`);
    } catch (error) {
      if (!signal.aborted) console.error(error instanceof JobError ? error.message : error);
    }
  }
}

/** @throws JobError `user` with what the build step printed when it fails. */
async function build(script: string, args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { code, stdout, stderr } = await runChild(process.execPath, [path.join(ROOT, script), ...args], { env });
  if (code !== 0) throw new JobError('user', `${stdout.toString()}${stderr}`.trim());
}
