import { createWriteStream } from 'node:fs';
import { JobError } from '../job/failure.js';
import { describeEnd, startAttached } from '../processes/child-process.js';

/** A part of the local stack that runs. */
export interface Part {
  pid: number | undefined;
  /** What the line that announced readiness matched. */
  ready: RegExpExecArray;
  /** Settles when the part ends without having been told to: which part, how it ended, and where its log is. */
  ended: Promise<string>;
  stop: () => Promise<void>;
}

interface PartOptions {
  /** Named when the part ends too soon, or by itself. */
  title: string;
  script: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  logFile: string;
  /** Matches the output once the part serves. */
  ready: RegExp;
  /** Kills the part when aborted, also before it is ready. */
  signal?: AbortSignal;
}

const STOP_GRACE_SECONDS = 8;

/**
 * Starts a Node script that ends with this process, and waits until its output matches `ready`.
 * @throws JobError `user` with the script's last line when it ends before.
 */
export async function startPart({ title, script, args, env, logFile, ready, signal }: PartOptions): Promise<Part> {
  const child = await startAttached(script, args, { env, signal });
  const log = createWriteStream(logFile);
  let text = '';
  const announced = new Promise<RegExpExecArray>((resolve) => {
    const read = (chunk: string) => {
      log.write(chunk);
      text = (text + chunk).slice(-10_000);
      const match = ready.exec(text);
      if (match) resolve(match);
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.on('data', read);
  });
  const notStarted = child.ended.then((): never => {
    log.end();
    throw new JobError('user', `${title} did not start: ${lastLine(text) || `see ${logFile}`}`);
  });
  const matched = await Promise.race([announced, notStarted]);
  let told = false;
  const ended = child.ended.then((end) =>
    told ? new Promise<never>(() => {}) : `${title} ended by itself, ${describeEnd(end)} (its log is ${logFile})`,
  );
  const stop = async () => {
    told = true;
    await child.stop(STOP_GRACE_SECONDS);
  };
  return { pid: child.pid, ready: matched, ended, stop };
}

/** What a program said last; of one that crashed, the line with the error, not what Node prints around it. */
function lastLine(text: string): string {
  const lines = text.trim().split('\n');
  return (lines.findLast((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? '').trim();
}
