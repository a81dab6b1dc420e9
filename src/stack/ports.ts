import getPort, { portNumbers } from 'get-port';
import { JobError, messageOf } from '../job/failure.js';

/** How far above the usual port a free one is looked for. */
const RANGE = 100;

/**
 * The usual port or the next free one. A port that the user asked for is taken or refused, never replaced.
 * @throws JobError `user` when the asked-for port is in use.
 */
export async function choosePort(
  usual: number,
  asked: number | undefined,
  who: string,
  option: string,
): Promise<number> {
  if (asked === undefined) return getPort({ host: '127.0.0.1', port: portNumbers(usual, usual + RANGE) });
  const free = await getPort({ host: '127.0.0.1', port: asked });
  if (free !== asked)
    throw new JobError(
      'user',
      `Port ${asked}, asked for with ${option}, is in use, so ${who} cannot start; end the program that uses it or name another port.`,
    );
  return free;
}

const TRIES = 5;

/**
 * Starts something that listens, again when another program took its port between our look and its start. Only for ports
 * that nobody asked for.
 */
export async function startOnFreePort<T>(start: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await start();
    } catch (error) {
      if (tries === TRIES || !/EADDRINUSE|in use/.test(messageOf(error)) || /asked for with/.test(messageOf(error)))
        throw error;
    }
  }
}
