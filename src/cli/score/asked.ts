import { stat } from 'node:fs/promises';
import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { JobError } from '../../job/failure.js';
import { endingOf, FRAME_FORMATS, QUALITIES, VIDEO_CODECS, VIDEO_ENDINGS } from '../../job/items/formats.js';
import { FRAME_RATES, readFrameRate } from '../../job/items/frame-folder.js';
import { MOST_PACKED } from '../../job/plan.js';
import type { Around } from '../around.js';
import { addChanges, autoOr } from './changes.js';
import type { FolderOptions } from './score-folder.js';
import { ON_DAMAGE, type VideoOptions } from './score-video.js';
import { isModelFile } from './user-files.js';

/** What a command says of a job, as the user gave it, with absolute paths. */
export interface JobFlags extends Omit<
  VideoOptions,
  'video' | 'base' | 'quiet' | 'resume' | 'env' | 'signal' | 'note'
> {
  list?: string;
}

/** The job that a command asks for: of a video, or of frames that become one; or of images, each by itself. */
export type AskedJob = { of: 'video'; options: VideoOptions } | { of: 'images'; options: FolderOptions };

/** Adds the options that say what the job is. */
export function addJobOptions(command: Command, { resolve }: Around): Command {
  const file = (text: string) => resolve(text);
  const model = (text: string) => (isModelFile(text) ? resolve(text) : text);
  command
    .option('--model <model>', 'a model of the app by name, or an .onnx file', model, 'starry-night')
    .option('--card <file>', "the model's card, when it does not lie beside the .onnx file as .json", file)
    .option('--labels <file>', "the names of the model's classes, when its card does not name a file", file)
    .option('--style <image>', 'the style picture, for a model with a style input', file)
    .option(
      '--out <file>',
      'where the video goes, its ending chooses the container, by default VIDEO-MODEL.mp4 here; for predictions a folder, or a file that ends in .jsonl or .csv; for images a folder, FOLDER-MODEL',
      file,
    )
    .addOption(new Option('--codec <codec>', 'codec of the painted video, by default h264').choices(VIDEO_CODECS))
    .addOption(new Option('--quality <quality>', 'quality of the painted video, by default good').choices(QUALITIES))
    .addOption(
      new Option(
        '--frame-format <format>',
        'what frames and pictures are stored as; by default ppm for a video, png for a folder of images',
      ).choices(FRAME_FORMATS),
    )
    .addOption(
      new Option(
        '--on-damage <choice>',
        'what to do with a video that breaks half-way: fail (the default), or keep the frames before the break',
      ).choices(ON_DAMAGE),
    )
    .addOption(
      new Option(
        '--frame-rate <rate>',
        'make a video of a folder of images: so many a second, as 24 or 24000/1001',
      ).argParser(frameRate),
    )
    .option(
      '--audio <file>',
      'the sound for a folder with a frame rate, by default the file audio.m4a, .mp3, .wav, .flac, .aac, .ogg or .opus in it',
      file,
    )
    .option('--list <file>', 'only the images of the folder that this file names, as failed-items.jsonl does', file)
    .option('--overwrite', 'replace files of earlier runs', false)
    .option(
      '--draw',
      'draw what the model finds (boxes, masks, classes) into the video; its predictions come beside it',
    )
    .option('--contact-sheet <file>', 'also save before/after pairs as one PNG', file);
  return addChanges(command)
    .option(
      '--pack <n>',
      'frames that are stored together, and results of images, or auto (the default); 1 saves each array as a file',
      autoOr(MOST_PACKED),
    )
    .option('--keep-frames', 'keep the frames of a video whose job is done, so that "frames" saves them')
    .option(
      '--reuse',
      'copy what the app has made of the same bytes with the same model and style before, and score only the rest',
    );
}

/** The name of what is saved, where the user gives none, without its ending. */
export const baseOf = (
  input: string,
  { model }: Pick<JobFlags, 'model'>,
  { resolve }: Pick<Around, 'resolve'>,
): string => resolve(`${path.parse(input).name}-${path.parse(model).name}`);

/** @throws JobError `user` for options that do not go with the input, or with each other. */
export async function jobAsked(input: string, { out, ...flags }: JobFlags, around: Around): Promise<AskedJob> {
  const { env, signal, note, json: quiet } = around;
  const base = baseOf(input, flags, around);
  const common = { ...flags, quiet, env, signal, note };
  const ofVideo = { of: 'video' as const, options: { ...common, video: input, out, base } };
  if (!(await isFolder(input))) {
    const { frameRate: rate, audio, list } = flags;
    const [given] =
      Object.entries({ '--frame-rate': rate, '--audio': audio, '--list': list }).find(([, value]) => value) ?? [];
    if (given === undefined) return ofVideo;
    throw new JobError(
      'user',
      `${given} is for a folder of images, and ${input} is none; name a folder, or leave it out.`,
    );
  }
  if (flags.frameRate !== undefined) {
    if (flags.onDamage !== undefined)
      throw new JobError('user', '--on-damage is for a video; leave it out for a folder of images.');
    if (flags.list !== undefined)
      throw new JobError('user', '--list is for images that are scored each by itself; leave it out.');
    return ofVideo;
  }
  refuseVideoFlags(flags);
  if (out !== undefined && VIDEO_ENDINGS.includes(endingOf(out)))
    throw new JobError(
      'user',
      `${out} is called like a video; make one with --frame-rate, or name a folder with --out.`,
    );
  return { of: 'images', options: { ...common, folder: input, out: out ?? base } };
}

/** Reads `--frame-rate`. @throws InvalidArgumentError for what is none that is taken. */
function frameRate(text: string): string {
  if (readFrameRate(text) === undefined) throw new InvalidArgumentError(`It ${FRAME_RATES.replaceAll('"', '')}.`);
  return text;
}

export const isFolder = (file: string) =>
  stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );

function refuseVideoFlags({
  audio,
  contactSheet,
  codec,
  quality,
  frameFormat,
  onDamage,
  draw,
  fill,
  keepFrames,
}: Omit<JobFlags, 'out'>): void {
  if (audio !== undefined)
    throw new JobError('user', '--audio is for images that become a video; add --frame-rate, or leave it out.');
  const flags = {
    '--contact-sheet': contactSheet,
    '--codec': codec,
    '--quality': quality,
    '--frame-format ppm': frameFormat === 'ppm' ? frameFormat : undefined,
    '--on-damage': onDamage,
    '--fill': fill,
    '--keep-frames': keepFrames,
    '--draw': draw,
  };
  const [given] = Object.entries(flags).find(([, value]) => value !== undefined) ?? [];
  if (given !== undefined)
    throw new JobError(
      'user',
      `${given} is for a video; leave it out for a folder of images, or make a video of them with --frame-rate.`,
    );
}
