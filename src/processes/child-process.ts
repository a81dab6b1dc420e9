import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable, type Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/**
 * The one way to run another program. It is built on Node's own `spawn`: execa brings 24 packages, takes 120 ms of CPU to load in each
 * command, and drops output that nobody reads within a tick.
 */
export interface ChildOptions {
  /** The whole environment of the child: it inherits nothing. */
  env: NodeJS.ProcessEnv;
  /** Kills the child at once when aborted. */
  signal?: AbortSignal;
  /** Seconds after which the child is killed; no limit when left out. */
  timeLimit?: number;
  /** Takes what the child writes to its file descriptor 3, which it has only then. */
  onSide?: (text: string) => void;
}

/** How a child ended. */
export interface Ended {
  /** Null when a signal ended the child or it never started. */
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The last 16 KiB of its standard error. */
  stderr: string;
  /** Why the child could not be started at all. */
  notStarted?: Error;
  /** Whether it was killed because it ran past its time limit. */
  tooLong: boolean;
}

export interface Child {
  pid: number | undefined;
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** Settles when the child is gone and its pipes are closed; never rejects. */
  ended: Promise<Ended>;
  /** Kills the child at once; harmless when it is gone. */
  kill: () => void;
  /** Asks the child to end (SIGTERM), kills it after the grace period, and waits until it is gone. */
  stop: (graceSeconds: number) => Promise<Ended>;
}

const STDERR_KEPT = 16_384;

/**
 * Starts a program, without a shell. Its output waits until somebody reads it.
 * @throws the signal's reason when it is aborted already; a program that cannot be started shows in `ended`.
 */
export function startChild(program: string, args: string[], options: ChildOptions): Child {
  return follow(launch(program, args, options), options);
}

/** Runs a program to its end, with an empty standard input, and returns what it printed; the end is the caller's to judge. */
export async function runChild(
  program: string,
  args: string[],
  options: ChildOptions,
): Promise<Ended & { stdout: Buffer }> {
  const child = startChild(program, args, options);
  child.stdin.end();
  const stdout = await buffer(child.stdout);
  return { ...(await child.ended), stdout };
}

/** How long a script whose parent is gone may take to end: enough for a scorer to store what it has. */
const GRACE_SECONDS = 5;

/**
 * The arguments of `node` that come before a script which must not outlive the process that starts it by more than `graceSeconds`
 * (see attached.ts).
 * Frames lie outside the heap but count towards it, so Node would search the whole heap after every few of them; with room for
 * 256 MiB (nothing is taken in advance) a scorer needs 3 % less CPU time and a frame split and stitched 5 %.
 */
export const attachedNode = (graceSeconds = GRACE_SECONDS) => [
  '--initial-heap-size=256',
  fileURLToPath(new URL('./attached.js', import.meta.url)),
  String(graceSeconds),
];

/**
 * Starts a Node script that ends when this process ends, even when this one is killed. Ctrl-C in a terminal does not reach it.
 * @throws the system's error when the process cannot be started.
 */
export async function startAttached(
  script: string,
  args: string[],
  options: ChildOptions & { graceSeconds?: number },
): Promise<Child> {
  const node = attachedNode(options.graceSeconds);
  const started = launch(process.execPath, [...node, script, ...args], options, true);
  const child = follow(started, options);
  await once(started, 'spawn');
  return child;
}

/** How a child ended: `exit code 3` or `killed by SIGKILL`. */
export const describeEnd = ({ code, signal }: Ended) => (signal === null ? `exit code ${code}` : `killed by ${signal}`);

/** Signals by which a program that breaks ends itself. */
const CRASHES = new Set<NodeJS.Signals>(['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGSYS', 'SIGTRAP']);

/**
 * Whether a signal came from outside: from a person, from a system that shuts down, or from the kernel where memory is short. Says nothing of
 * what the program was at.
 */
export const isFromOutside = (signal: NodeJS.Signals | null) => signal !== null && !CRASHES.has(signal);

/** What may have killed a program from outside, to go at the end of a sentence. */
export const PERHAPS_MEMORY = 'perhaps because memory is short';

function launch(
  program: string,
  args: string[],
  { env, signal, onSide }: ChildOptions,
  detached = false,
): ChildProcessWithoutNullStreams {
  signal?.throwIfAborted();
  const child = spawn(program, args, {
    env,
    detached,
    stdio: ['pipe', 'pipe', 'pipe', ...(onSide ? (['pipe'] as const) : [])],
    windowsHide: true,
  });
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new Error(`${program} was started without its pipes`);
  const side = child.stdio[3];
  if (onSide && side instanceof Readable) side.setEncoding('utf8').on('data', onSide);
  return Object.assign(child, { stdin, stdout, stderr });
}

function follow(child: ChildProcessWithoutNullStreams, { signal, timeLimit }: ChildOptions): Child {
  const kill = () => void child.kill('SIGKILL');
  let tooLong = false;
  const limit =
    timeLimit === undefined
      ? undefined
      : setTimeout(() => {
          tooLong = true;
          kill();
        }, timeLimit * 1000).unref();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT);
  });
  // A child that ends early closes its input; how it ended tells why, and an unhandled EPIPE would end this process.
  child.stdin.on('error', () => {});
  signal?.addEventListener('abort', kill, { once: true });
  const ended = new Promise<Ended>((resolve) => {
    child.on('error', (notStarted) => resolve({ code: null, signal: null, stderr, notStarted, tooLong }));
    child.once('close', (code, killedBy) => resolve({ code, signal: killedBy, stderr, tooLong }));
  }).finally(() => {
    clearTimeout(limit);
    signal?.removeEventListener('abort', kill);
  });
  const stop = async (graceSeconds: number) => {
    child.kill('SIGTERM');
    const timer = setTimeout(kill, graceSeconds * 1000);
    const end = await ended;
    clearTimeout(timer);
    return end;
  };
  return { pid: child.pid, stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, ended, kill, stop };
}
