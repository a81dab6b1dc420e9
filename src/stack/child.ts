import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { ATTACHED_NODE } from '../processes/attached-node.js';
import { JobError } from '../job/failure.js';

export interface Child {
  process: ChildProcess;
  /** What the line that announced readiness matched. */
  ready: RegExpExecArray;
  /** Settles when the child ends without having been told to: who ended, how, and where its log is. */
  ended: Promise<string>;
  stop: () => Promise<void>;
}

interface StartOptions {
  script: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  logFile: string;
  /** Matches the output once the child serves. */
  ready: RegExp;
  /** Named when the child ends too soon, or by itself. */
  title: string;
  /** Ends the child when aborted, also before it is ready. */
  signal?: AbortSignal;
}

const STOP_GRACE_MS = 8000;

/**
 * Starts a Node script that ends with this process, and waits until its output matches `ready`.
 * @throws JobError `user` with the child's last line when it ends before.
 */
export async function startChild({ script, args, env, logFile, ready, title, signal }: StartOptions): Promise<Child> {
  const child = spawn(process.execPath, [...ATTACHED_NODE, script, ...args], {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  signal?.addEventListener('abort', () => child.kill(), { once: true });
  const log = createWriteStream(logFile);
  child.stdin.on('error', () => undefined);
  let text = '';
  const matched = await new Promise<RegExpExecArray>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      log.write(chunk);
      text = (text + chunk.toString('utf8')).slice(-10_000);
      const match = ready.exec(text);
      if (match) resolve(match);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('error', reject);
    child.once('close', () =>
      reject(new JobError('user', `${title} did not start: ${lastLine(text) || `see ${logFile}`}`)),
    );
  });
  let told = false;
  const ended = new Promise<string>((resolve) => {
    child.once('close', (code, killedBy) => {
      const how = killedBy === null ? `with exit code ${code}` : `killed by ${killedBy}`;
      if (!told) resolve(`${title} ended by itself, ${how} (its log is ${logFile})`);
    });
  });
  const stop = () => {
    told = true;
    return stopChild(child);
  };
  return { process: child, ready: matched, ended, stop };
}

/** What a program said last; of one that crashed, the line with the error, not what Node prints around it. */
function lastLine(text: string): string {
  const lines = text.trim().split('\n');
  return (lines.findLast((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? '').trim();
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
  await closed;
  clearTimeout(timer);
}
