import { once } from 'node:events';
import { watch } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { JobError, messageOf, unbroken } from '../../job/failure.js';
import { poll } from '../../poll.js';
import { runChild } from '../../processes/child-process.js';
import { type Stack, type StackOptions, startStack } from '../../stack/stack.js';
import { calling, IS_CHECKOUT } from '../installed.js';
import { addData, addExamples, addJson, type Around, type Define, wholeNumber } from '../around.js';

export const define: Define = (command, around) => {
  const port = wholeNumber(1, 65_535);
  command
    .option('--port <port>', 'port of the app; by default 7071 or the next free one', port)
    .option('--azurite-port <port>', 'port of blob storage; by default 10000 or the next free one', port)
    .option('--watch', 'rebuild and restart the app when its source changes', false)
    .option('--telemetry', 'show the trace of each job that ends, as a table and as a page', false);
  addData(addJson(command, 'print where the app is as JSON, when it is up'), around).action(
    ({ data: folder, ...flags }: Flags) => start({ ...flags, folder, ...around }),
  );
  addExamples(
    command,
    ['run the app here, until Ctrl-C'],
    ['on another port, with its data in another folder', '--port', '8080', '--data', '/tmp/scoring'],
    ['and show where the time of each job has gone', '--telemetry'],
  );
};

interface Flags extends Pick<StartOptions, 'port' | 'azuritePort' | 'watch' | 'telemetry'> {
  data: string;
}

interface StartOptions extends Omit<StackOptions, 'spans'>, Pick<Around, 'json' | 'print' | 'note'> {
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
  if (options.json) throw new JobError('user', '--telemetry shows traces as text; leave it or --json out.');
  const { folder, env } = options;
  if (env.TELEMETRY_FILE)
    throw new JobError('user', 'With --telemetry the app writes to a file of the command; unset TELEMETRY_FILE.');
  const { followTraces } = await import('../trace/follow.js');
  const traces = await followTraces(folder, options.print);
  try {
    await run({ ...options, spans: traces.files.host, env: { ...env, TELEMETRY_FILE: traces.files.app } });
  } finally {
    await traces.stop();
  }
}

async function run({
  signal,
  watch: watched,
  json,
  print,
  note,
  ...options
}: Omit<StartOptions, 'telemetry'> & StackOptions): Promise<void> {
  const stack = await startStack({ ...options, watchInbox: true });
  const say = json ? note : (line: string) => print(unbroken(line));
  const [, blobs = ''] = /BlobEndpoint=([^;]+)/.exec(stack.storage) ?? [];
  if (json) print(JSON.stringify({ url: stack.url, blobs, data: options.folder }));
  say(`The app listens on ${stack.url}; start jobs with: ${calling('score VIDEO')}`);
  say(`Its page is at ${stack.url}/api/`);
  say(`What is uploaded into ${blobs}/inbox starts jobs, too: ${calling('drop FILE')}`);
  say(`Logs are in ${options.folder}. Ctrl-C stops everything.`);
  if (options.spans !== undefined) say('The trace of each job is shown here when it ends.');
  const over = new AbortController();
  const watching = watched
    ? restartOnEdits(stack, options.env, { signal: AbortSignal.any([signal, over.signal]), say, note })
    : undefined;
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
async function restartOnEdits(
  stack: Stack,
  env: NodeJS.ProcessEnv,
  { signal, say, note }: { signal: AbortSignal; say: Around['print']; note: Around['note'] },
): Promise<void> {
  let edited: number | undefined;
  for (const folder of SOURCES)
    watch(path.join(ROOT, folder), { recursive: true, signal }, () => {
      edited = performance.now();
    });
  say(`The app restarts when a file in ${SOURCES.join(' or ')} changes.`);
  const settled = () => edited !== undefined && performance.now() - edited >= SETTLED_MS;
  for (;;) {
    await poll(() => Promise.resolve(signal.aborted || settled() || undefined), { pauseMs: 50, wake: signal });
    if (signal.aborted) return;
    edited = undefined;
    try {
      await build('node_modules/typescript/bin/tsc', ['--build', ROOT], env);
      await stack.restartHost(() => build('bundle.mjs', [], env));
      say(`${new Date().toLocaleTimeString()}: the app runs with your changes.`);
    } catch (error) {
      if (!signal.aborted) note(messageOf(error));
    }
  }
}

/** @throws JobError `user` with what the build step printed when it fails. */
async function build(script: string, args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { code, stdout, stderr } = await runChild(process.execPath, [path.join(ROOT, script), ...args], { env });
  if (code !== 0) throw new JobError('user', `${stdout.toString()}${stderr}`.trim());
}
