import { spawn } from 'node:child_process';
import { Readable, type Writable } from 'node:stream';
import type { MediaLimits } from '../limits.js';
import { JobError } from '../../job/failure.js';

/** A program and what it may have. */
export interface Program {
  path: string;
  /** Words in front of it that take rights from it; see `confinement`. */
  confinement: string[];
  /** All that it gets of the environment. */
  environment: NodeJS.ProcessEnv;
  limits: MediaLimits;
}

export interface Tools {
  ffmpeg: Program;
  ffprobe: Program;
}

/** How a program ended, with the last of what it said. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
  /** Why the program could not be started at all. */
  notStarted?: Error;
  /** Whether it was killed because it ran too long. */
  tooLong: boolean;
}

export interface Running {
  stdin: Writable;
  stdout: Readable;
  /** Settles when the program is gone and its pipes are closed; never rejects. */
  ended: Promise<Ended>;
  /** Harmless when the program is gone already. */
  kill: () => void;
}

const STDERR_KEPT = 16_384;

/**
 * Starts a program without a shell. An abort kills it at once, even while it waits for a pipe.
 * @param onSide takes what the program writes to its file descriptor 3, which it has only then
 */
export function start(
  command: Program,
  args: string[],
  signal?: AbortSignal,
  onSide?: (text: string) => void,
): Running {
  signal?.throwIfAborted();
  const child = spawnPiped(command, args, onSide);
  const kill = () => void child.kill('SIGKILL');
  let tooLong = false;
  const limit = setTimeout(() => {
    tooLong = true;
    kill();
  }, command.limits.seconds * 1000).unref();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT);
  });
  // A program that ends early closes its input; how it ended tells why, and an unhandled EPIPE would end ours.
  child.stdin.on('error', () => {});
  signal?.addEventListener('abort', kill, { once: true });
  const ended = new Promise<Ended>((resolve) => {
    child.once('error', (notStarted) => resolve({ code: null, signal: null, stderr, notStarted, tooLong }));
    child.once('close', (code, killedBy) => {
      const notStarted = /^(setpriv: failed to execute|unshare: )/.test(stderr) ? new Error(stderr.trim()) : undefined;
      resolve({ code, signal: killedBy, stderr, notStarted, tooLong });
    });
  }).finally(() => {
    clearTimeout(limit);
    signal?.removeEventListener('abort', kill);
  });
  return { stdin: child.stdin, stdout: child.stdout, ended, kill };
}

function spawnPiped(command: Program, args: string[], onSide?: (text: string) => void) {
  const side = onSide ? (['pipe'] as const) : [];
  // A static ffprobe crashes when it loads the character sets of another C library, as it does for transport streams; it finds none.
  const env = { ...command.environment, GCONV_PATH: '/dev/null' };
  const [program, ...before] = [...command.confinement, command.path];
  const child = spawn(program, [...before, ...args], {
    stdio: ['pipe', 'pipe', 'pipe', ...side],
    windowsHide: true,
    env,
  });
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new Error(`${command.path} was started without its pipes`);
  const fourth = child.stdio[3];
  if (onSide && fourth instanceof Readable) fourth.setEncoding('utf8').on('data', onSide);
  return Object.assign(child, { stdin, stdout, stderr });
}

/**
 * Runs a program to its end and gives what it printed.
 * @throws JobError when the program is not there; any other end is the caller's to judge.
 */
export async function run(command: Program, args: string[], signal?: AbortSignal): Promise<Ended & { stdout: Buffer }> {
  const running = start(command, args, signal);
  running.stdin.end();
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of running.stdout) chunks.push(chunk);
    const end = await running.ended;
    signal?.throwIfAborted();
    if (end.notStarted) throw cannotStart(command, end.notStarted);
    return { ...end, stdout: Buffer.concat(chunks) };
  } finally {
    running.kill();
  }
}

export function cannotStart(command: Program, cause: Error): JobError {
  return new JobError(
    'user',
    `Cannot start ${command.path}; install FFmpeg or name a working binary in the settings.`,
    {
      cause,
    },
  );
}
