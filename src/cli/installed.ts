import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json. */
export const APP_FOLDER = fileURLToPath(new URL('../..', import.meta.url));

/** Whether this is a checkout, in which npm runs the commands as scripts; else a package that npm has installed, run with npx. */
export const IS_CHECKOUT = existsSync(path.join(APP_FOLDER, 'tsconfig.json'));

/** How the user calls a command, as in `npm run score -- --redrive coast-k3v9q2xa`. */
export function calling(command: string, isCheckout = IS_CHECKOUT): string {
  if (!isCheckout) return `npx durable-batch-scoring ${command}`;
  const [name = '', ...rest] = command.split(' ');
  const script = name === 'start' ? 'npm start' : `npm run ${name}`;
  return rest.length === 0 ? script : `${script} -- ${rest.join(' ')}`;
}

/**
 * The data folder of the local stack where the user names none. In a checkout it is `.local`; a package keeps nothing in node_modules, and
 * has one folder per user, so that commands in different folders find the same stack.
 */
export function usualDataFolder(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
  isCheckout = IS_CHECKOUT,
): string {
  if (isCheckout) return path.join(APP_FOLDER, '.local');
  return path.join(folderForData(env, platform), 'durable-batch-scoring');
}

function folderForData({ XDG_DATA_HOME, LOCALAPPDATA }: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  const home = os.homedir();
  if (platform === 'win32') return LOCALAPPDATA || path.join(home, 'AppData', 'Local');
  if (platform === 'darwin') return path.join(home, 'Library', 'Application Support');
  // A relative path is to be ignored: https://specifications.freedesktop.org/basedir-spec/
  return XDG_DATA_HOME !== undefined && path.isAbsolute(XDG_DATA_HOME)
    ? XDG_DATA_HOME
    : path.join(home, '.local', 'share');
}
