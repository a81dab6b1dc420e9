import path from 'node:path';
import { JobError } from '../../job/failure.js';
import { endingOf, isNamedAsPicture, type Quality, VIDEO_ENDINGS, type VideoCodec } from '../../job/formats.js';
import { INBOX, OUTBOX } from '../../job-store/layout.js';
import { type JobOptions, runThrough } from './run-job.js';
import { type Summary, summarise } from './summary.js';
import { checkDistinct, checkInputFile, checkModelFiles, checkOutputFile, isModelFile } from './user-files.js';

/** Those that a job chooses by itself. */
const CHOSEN_ENDINGS = ['.mp4', '.mkv'];

export const ON_DAMAGE = ['fail', 'keep'] as const;

export interface VideoOptions extends JobOptions {
  video: string;
  /** Where the output goes; its ending chooses the container. */
  out?: string;
  /** Where the output goes when `out` is left out; the ending that the job chooses is added. */
  base: string;
  codec?: VideoCodec;
  quality?: Quality;
  onDamage?: (typeof ON_DAMAGE)[number];
  /** Where before/after pairs go, if they are wanted. */
  contactSheet?: string;
}

/**
 * Runs one video through the app: starts the local stack when none runs, uploads, starts the job, shows its progress and
 * downloads the result.
 * @throws JobError with the sentence of whatever went wrong.
 */
export async function scoreVideo(options: VideoOptions): Promise<Summary> {
  await checkFiles(options);
  const { overwrite = false } = options;
  let saved = options.out ?? options.base;
  const { status, seconds } = await runThrough(options, {
    unit: 'frames',
    upload: async (client) => {
      const video = await client.upload('video', options.video);
      return { input: { video, onDamage: options.onDamage }, output: outputOf(options, video) };
    },
    save: async (client, { id, output }) => {
      if (options.out === undefined) saved += endingOf(output ?? '');
      await client.download(id, 'output', saved, overwrite);
      if (options.contactSheet !== undefined)
        await client.download(id, 'contact-sheet', options.contactSheet, overwrite);
    },
  });
  return summarise(status, seconds, { output: saved, contactSheet: options.contactSheet ?? null });
}

/** @param video where the video was uploaded; nobody else writes beside it. */
function outputOf({ out, codec, quality, frameFormat }: VideoOptions, video: string) {
  const place = path.posix.dirname(video).replace(new RegExp(`^${INBOX}`), OUTBOX);
  return { video: out === undefined ? undefined : `${place}/output${endingOf(out)}`, codec, quality, frameFormat };
}

/** @throws JobError `user` before anything is started when a file cannot be read or written. */
async function checkFiles(options: VideoOptions): Promise<void> {
  await checkInputFile(options.video, 'video');
  if (isNamedAsPicture(options.video) && !/\.gif$/i.test(options.video))
    throw new JobError('user', `${options.video} is a picture; put it into a folder and name the folder.`);
  await checkModelFiles(options);
  const { out } = options;
  if (out !== undefined && !VIDEO_ENDINGS.includes(endingOf(out)))
    throw new JobError('user', `${out} must end in ${VIDEO_ENDINGS.join(', ')}; name another file with --out.`);
  const saved = out === undefined ? VIDEO_ENDINGS.map((ending) => options.base + ending) : [out];
  const outputs = saved.map((file): [string, string] => ['--out', file]);
  if (options.contactSheet !== undefined) outputs.push(['--contact-sheet', options.contactSheet]);
  const model = isModelFile(options.model) ? options.model : undefined;
  const inputs = [options.video, model, options.card, options.labels, options.style];
  await checkDistinct(
    outputs,
    inputs.filter((file) => file !== undefined),
  );
  for (const file of out === undefined ? CHOSEN_ENDINGS.map((ending) => options.base + ending) : [out])
    await checkOutputFile(file, '--out', options.overwrite);
  if (options.contactSheet !== undefined)
    await checkOutputFile(options.contactSheet, '--contact-sheet', options.overwrite);
}
