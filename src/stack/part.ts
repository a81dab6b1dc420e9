import { createWriteStream } from 'node:fs';
import getPort, { clearLockedPorts, portNumbers } from 'get-port';
import { JobError, messageOf } from '../job/failure.js';
import { poll } from '../poll.js';
import { describeEnd, isFromOutside, PERHAPS_MEMORY, startAttached } from '../processes/child-process.js';

/** A part of the local stack that runs: Azurite, the Functions host or the Azure emulator. */
export interface Part {
  pid: number | undefined;
  /** What the line that announced readiness matched. */
  ready: RegExpExecArray;
  /** Settles when the part ends without having been told to: which part, how it ended, and where its log is. */
  ended: Promise<string>;
  stop: () => Promise<void>;
}

interface PartOptions {
  /** Names the part in errors, such as `Azurite`. */
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
/** Nothing that a part does is worth waiting for when the command is gone: all it has to keep is in storage. */
const ORPHAN_GRACE_SECONDS = 1;

/**
 * Starts a Node script that ends with this process, and waits until its output matches `ready`.
 * @throws JobError `user` with the script's last line when it ends before that.
 */
export async function startPart({ title, script, args, env, logFile, ready, signal }: PartOptions): Promise<Part> {
  const child = await startAttached(script, args, { env, signal, graceSeconds: ORPHAN_GRACE_SECONDS });
  // On a full disk the log has gaps, and the part goes on.
  const log = createWriteStream(logFile).on('error', () => {});
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
  const notStarted = child.ended.then((end): never => {
    log.end();
    if (isFromOutside(end.signal))
      throw new JobError(
        'user',
        `${title} was ${describeEnd(end)} before it had started, ${PERHAPS_MEMORY}; try again.`,
      );
    throw new JobError('user', `${title} did not start: ${lastLine(text) || `see ${logFile}`}`);
  });
  const matched = await Promise.race([announced, notStarted]);
  let told = false;
  const ended = child.ended.then((end) =>
    told ? new Promise<never>(() => {}) : `${title} ended unexpectedly (${describeEnd(end)}; its log is ${logFile})`,
  );
  const stop = async () => {
    told = true;
    await child.stop(STOP_GRACE_SECONDS);
  };
  return { pid: child.pid, ready: matched, ended, stop };
}

/** What a program said last; of one that crashed, the line with the error, not the lines that Node prints around it. */
function lastLine(text: string): string {
  const lines = text.trim().split('\n');
  return (lines.findLast((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? '').trim();
}

/** How many ports above the usual one are tried. */
const RANGE = 100;
/** A command that was killed may leave its parts, and their ports, behind for a moment. */
const PREDECESSOR_MS = 2000;

/** A port that the user asked for, with the option that names it and the program that wants it. */
export interface AskedPort {
  port: number | undefined;
  option: string;
  program: string;
}

/**
 * The port that the user asked for, or, when there is none, the usual port or the next free one.
 * @throws JobError `user` when the port that was asked for is in use.
 */
export async function choosePort(usual: number, asked?: AskedPort): Promise<number> {
  const host = '127.0.0.1';
  if (asked?.port === undefined) return getPort({ host, port: portNumbers(usual, usual + RANGE) });
  const { port, option, program } = asked;
  const isFree = async () => {
    // For half a minute it gives no port a second time, and this one may have been looked at before.
    clearLockedPorts();
    return (await getPort({ host, port })) === port ? true : undefined;
  };
  if (await poll(isFree, { pauseMs: 100, withinMs: PREDECESSOR_MS })) return port;
  throw new JobError(
    'user',
    `Port ${port}, asked for with ${option}, is in use, so ${program} cannot start; end the program that uses it or name another port.`,
  );
}

const TRIES = 5;

/**
 * Starts something that listens, and starts it again when another program takes its port before it can.
 * @param start takes how far above the usual port it looks for a free one: somewhere else each time, as stacks that start together
 * would all take the next one.
 */
export async function startOnFreePort<T>(start: (above: number) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await start(tries === 1 ? 0 : Math.floor(Math.random() * RANGE));
    } catch (error) {
      if (tries === TRIES || !/EADDRINUSE|in use/.test(messageOf(error)) || /asked for with/.test(messageOf(error)))
        throw error;
    }
  }
}
