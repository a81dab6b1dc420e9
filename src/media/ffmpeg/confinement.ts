import { spawnSync } from 'node:child_process';
import { onPath } from './find.js';

const FOR_GOOD = '--no-new-privs';
/** Root without its capabilities may no more than any user. */
const WITHOUT_CAPABILITIES = ['--inh-caps=-all', '--bounding-set=-all'];
/** A network of its own has not even the address 127.0.0.1. Whoever is not root first needs users of its own, if the kernel gives any. */
const WITHOUT_NETWORK = [['--net'], ['--user', '--map-current-user', '--net']];

/**
 * Words in front of a command that take from the program the network, what root can, and every way to get it back, such as set-uid
 * programs; as much of that as this process may take. Empty where there is no setpriv (util-linux, Linux only): the program then has the
 * rights of the app.
 * @param searchPath folders as in the PATH variable
 */
export function confinement(searchPath: string): string[] {
  const [setpriv, unshare, anything] = ['setpriv', 'unshare', 'true'].map((name) => onPath(name, searchPath));
  if (setpriv === undefined || anything === undefined) return [];
  const powerless = [setpriv, FOR_GOOD, ...WITHOUT_CAPABILITIES];
  const ways = [
    ...(unshare === undefined ? [] : WITHOUT_NETWORK.map((options) => [unshare, ...options, ...powerless])),
    // Only root may give capabilities away.
    powerless,
    [setpriv, FOR_GOOD],
  ];
  return ways.find(([program = '', ...words]) => spawnSync(program, [...words, anything]).status === 0) ?? [];
}
