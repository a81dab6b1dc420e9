import { fileKindByName, MAC_METADATA, VIDEO } from '../items/formats.js';

/**
 * What starts a job: a job file, a video in a folder that has defaults, or the trigger file that says of a folder of pictures that it is
 * ready.
 */
export type Starter = 'job-file' | 'video' | 'folder';

/** What a job of its folder is asked for, unless something nearer says otherwise. */
export const DEFAULTS_FILE = '_defaults.json';

const READY = /^_ready$/i;
const JOB_FILE = /(?:^|\.)job\.json$/i;

/** Whether a file says something of jobs, so that nobody wonders why it is no picture. */
export function isAboutJobs(name: string): boolean {
  const file = name.slice(name.lastIndexOf('/') + 1);
  return file === DEFAULTS_FILE || READY.test(file) || JOB_FILE.test(file);
}

/**
 * What a blob of the inbox starts by its name; undefined: nothing. Whoever wants files to be left alone puts an underscore before their
 * name or before that of a folder above them.
 */
export function whatStarts(name: string): Starter | undefined {
  const parts = name.split('/');
  const file = parts.pop() ?? '';
  if (parts.some((part) => part.startsWith('_'))) return undefined;
  if (READY.test(file)) return 'folder';
  const kind = fileKindByName(file);
  if (file.startsWith('_') || kind === MAC_METADATA) return undefined;
  if (JOB_FILE.test(file)) return 'job-file';
  return kind === VIDEO ? 'video' : undefined;
}
