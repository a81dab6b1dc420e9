import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, constants, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { z } from 'zod';
import { JobError } from '../../job/failure.js';

export interface FfmpegPaths {
  ffmpeg: string;
  ffprobe: string;
}

const npmPackage = z.object({ path: z.string() });

/**
 * Finds ffmpeg and ffprobe. Each comes from the first of these that has it: the setting, the folders of the search path, the npm package.
 * @param searchPath folders as in the PATH variable
 * @throws JobError `user` when a setting does not name a program, or when none of the three has one.
 */
export function findFfmpeg(setting: { ffmpegPath?: string; ffprobePath?: string }, searchPath: string): FfmpegPaths {
  return {
    ffmpeg: findOne('ffmpeg', setting.ffmpegPath, searchPath),
    ffprobe: findOne('ffprobe', setting.ffprobePath, searchPath),
  };
}

function findOne(name: 'ffmpeg' | 'ffprobe', setting: string | undefined, searchPath: string): string {
  if (setting === undefined) return onPath(name, searchPath) ?? fromNpm(name);
  if (isProgram(setting)) return setting;
  throw new JobError(
    'user',
    `The setting for ${name} names ${setting}, which is not a program; correct it or leave it out.`,
  );
}

function onPath(name: string, searchPath: string): string | undefined {
  const program = process.platform === 'win32' ? `${name}.exe` : name;
  const folders = searchPath.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  return folders.map((folder) => path.join(folder, program)).find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    // Missing, a dangling link or not ours to run: none of them can be started.
    return false;
  }
}

/** Makes the program in the npm package executable: the install script that would do so does not run (see .npmrc). */
function fromNpm(name: 'ffmpeg' | 'ffprobe'): string {
  try {
    const found: unknown = createRequire(import.meta.url)(`@${name}-installer/${name}`);
    const program = npmPackage.parse(found).path;
    if (!isProgram(program)) chmodSync(program, 0o755);
    return program;
  } catch (cause) {
    // The package throws a plain string on a platform that it has no binary for.
    throw new JobError('user', `No ${name} was found; install FFmpeg or name the program in the settings.`, { cause });
  }
}

const FOR_GOOD = '--no-new-privs';
/** Root without its capabilities may do no more than any other user. */
const WITHOUT_CAPABILITIES = ['--inh-caps=-all', '--bounding-set=-all'];
/** A network namespace of its own has not even the address 127.0.0.1. A user other than root needs a user namespace first. */
const WITHOUT_NETWORK = [['--net'], ['--user', '--map-current-user', '--net']];

/**
 * Words to put in front of a command that take the network and the rights of root from the program, and every way to regain them, such as
 * set-uid programs; as much of that as this process is allowed to take. Empty where there is no setpriv (util-linux, Linux only): the
 * program then has the rights of the app.
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
