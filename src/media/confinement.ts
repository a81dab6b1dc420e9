import { spawnSync } from 'node:child_process';
import { onPath } from './find.js';

const FOR_GOOD = '--no-new-privs';
/** Root without its capabilities may no more than any user. */
const WITHOUT_CAPABILITIES = ['--inh-caps=-all', '--bounding-set=-all'];

/**
 * Words in front of a command that take from the program what root can, and every way to get it back, such as set-uid programs. Empty
 * where there is no setpriv (util-linux, Linux only) or it may not do so: the program then has the rights of the app.
 * @param searchPath folders as in the PATH variable
 */
export function confinement(searchPath: string): string[] {
  const setpriv = onPath('setpriv', searchPath);
  const anything = onPath('true', searchPath);
  if (setpriv === undefined || anything === undefined) return [];
  // Only root may give capabilities away.
  const ways = [
    [setpriv, FOR_GOOD, ...WITHOUT_CAPABILITIES],
    [setpriv, FOR_GOOD],
  ];
  return ways.find(([program = '', ...words]) => spawnSync(program, [...words, anything]).status === 0) ?? [];
}
