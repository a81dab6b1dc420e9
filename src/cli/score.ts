import path from 'node:path';
import { JobError } from '../job/failure.js';
import { isNamedAsPicture } from '../job/picture-kind.js';
import { checkInputFile, checkModelFiles, checkOutputFile } from './checks.js';
import { type JobOptions, runThrough } from './run-job.js';
import { type Summary, summarise } from './summary.js';

/** One video. */
export interface ScoreOptions extends JobOptions {
  video: string;
  contactSheet?: string;
}

/**
 * Runs one video through the app: starts the local stack when none runs, uploads, starts the job, shows its progress and
 * downloads the result.
 * @throws JobError with the sentence of whatever went wrong.
 */
export async function score(options: ScoreOptions): Promise<Summary> {
  await checkFiles(options);
  const { status, seconds } = await runThrough(options, {
    unit: 'frames',
    upload: async (client) => ({ video: await client.upload('video', options.video) }),
    save: async (client, { id }) => {
      await client.download(id, 'output', options.out);
      if (options.contactSheet !== undefined) await client.download(id, 'contact-sheet', options.contactSheet);
    },
  });
  return summarise(status, seconds, { output: options.out, contactSheet: options.contactSheet ?? null });
}

async function checkFiles(options: ScoreOptions): Promise<void> {
  await checkInputFile(options.video, 'video');
  if (isNamedAsPicture(options.video) && !/\.gif$/i.test(options.video))
    throw new JobError('user', `${options.video} is a picture; put it into a folder and name the folder.`);
  await checkModelFiles(options);
  if (path.resolve(options.out) === path.resolve(options.video))
    throw new JobError('user', `${options.out} is the video itself; name another file with --out.`);
  await checkOutputFile(options.out, '--out');
  if (options.contactSheet !== undefined) await checkOutputFile(options.contactSheet, '--contact-sheet');
}
