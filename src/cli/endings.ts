import { readFileSync } from 'node:fs';

/** npm and terminals often send the first signal twice; one that comes later ends the command without waiting for anything. */
const SAME_SIGNAL_MS = 1000;
const LOOK_MS = 500;

/**
 * Aborted by everything that ends a command: Ctrl-C, a request to end, a terminal that closes, a pipe that nobody reads any more, the end
 * of the npm that runs it.
 * @param exitCode of the process when it is told a second time.
 */
export function endings(env: NodeJS.ProcessEnv, exitCode: number): AbortSignal {
  const ending = new AbortController();
  let since: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      since ??= Date.now();
      if (Date.now() - since > SAME_SIGNAL_MS) process.exit(exitCode);
      ending.abort();
    });
  // Without a listener the process would die of what it wanted to say, and what it started would go on. EIO is a terminal that is gone.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || error.code === 'EIO') ending.abort();
    });
  const script = env.npm_lifecycle_script;
  if (script !== undefined) {
    const runners = runnersOf(script);
    const look = setInterval(() => {
      if (runnersOf(script) === runners) return;
      clearInterval(look);
      ending.abort();
    }, LOOK_MS).unref();
  }
  return ending.signal;
}

/**
 * Names the processes that run a script of npm: a shell, which tells nobody when it is told to end, and npm above it. Systems other than
 * Linux do not say who is above the shell.
 */
function runnersOf(script: string): string {
  const shell = process.ppid;
  try {
    if (!readFileSync(`/proc/${shell}/cmdline`, 'utf8').includes(script)) return String(shell);
    return `${shell} ${/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${shell}/status`, 'utf8'))?.[1]}`;
  } catch {
    return String(shell);
  }
}
