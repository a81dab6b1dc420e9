import { accessSync, constants, statSync } from 'node:fs';
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
 * Where ffmpeg and ffprobe are, each looked for in this order: the setting, the folders of the search path, the npm package.
 * @param searchPath folders as in the PATH variable
 * @throws JobError `user` when a setting names no program, or none is found anywhere.
 */
export function findFfmpeg(setting: { ffmpegPath?: string; ffprobePath?: string }, searchPath: string): FfmpegPaths {
  return {
    ffmpeg: findOne('ffmpeg', setting.ffmpegPath, searchPath),
    ffprobe: findOne('ffprobe', setting.ffprobePath, searchPath),
  };
}

function findOne(name: 'ffmpeg' | 'ffprobe', setting: string | undefined, searchPath: string): string {
  if (setting) {
    if (isProgram(setting)) return setting;
    throw new JobError(
      'user',
      `The setting for ${name} names ${setting}, which is not a program; correct it or leave it out.`,
    );
  }
  return onPath(name, searchPath) ?? fromNpm(name);
}

/** The file of this name that the search path leads to; undefined when there is none. */
export function onPath(name: string, searchPath: string): string | undefined {
  const program = process.platform === 'win32' ? `${name}.exe` : name;
  const folders = searchPath.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  return folders.map((folder) => path.join(folder, program)).find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    // Missing, a dangling link or not ours to run: all the same to the search.
    return false;
  }
}

function fromNpm(name: 'ffmpeg' | 'ffprobe'): string {
  try {
    const found: unknown = createRequire(import.meta.url)(`@${name}-installer/${name}`);
    return npmPackage.parse(found).path;
  } catch (cause) {
    // The package throws a plain string on a platform that it has no binary for.
    throw new JobError('user', `No ${name} was found; install FFmpeg or name the program in the settings.`, { cause });
  }
}
