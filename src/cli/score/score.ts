import { stat } from 'node:fs/promises';
import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEVICES } from '../../job/compute-choice.js';
import { JobError } from '../../job/failure.js';
import { endingOf, FRAME_FORMATS, QUALITIES, VIDEO_CODECS, VIDEO_ENDINGS } from '../../job/items/formats.js';
import { FRAME_RATES, readFrameRate } from '../../job/items/frame-folder.js';
import { MOST_PARALLEL } from '../../job/plan.js';
import { FILLS, ON_EXCEEDED } from '../../job/tolerance.js';
import { computeAsked, COMPUTES, type JobOptions } from './run-job.js';
import type { FolderOptions } from './score-folder.js';
import { ON_DAMAGE, requestOfVideo, scoreVideo, type VideoOptions } from './score-video.js';
import { renderSummary } from './summary.js';
import { checkJobId } from '../client/connect.js';
import { type Choice, chooseUnfinished, findUnfinished } from './go-on.js';
import { isModelFile } from './user-files.js';

/** What a command has of the process it runs in. */
export interface Surroundings {
  /** The absolute path of a file as the user named it. */
  resolve: (file: string) => string;
  env: NodeJS.ProcessEnv;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}

/** The options of `score` as the user gave them, with absolute paths. */
interface ScoreFlags extends Omit<VideoOptions, 'video' | 'base' | 'quiet' | 'env' | 'signal' | 'resume'>, Choice {
  json?: boolean;
  list?: string;
  /** The job to go on with. */
  redrive?: string;
}

/** Adds `score VIDEO|FOLDER`; `data` is the option for the local stack's folder. */
export function addScoreCommand(program: Command, data: Option, { resolve, env, signal }: Surroundings): void {
  const file = (text: string) => resolve(text);
  const model = (text: string) => (isModelFile(text) ? resolve(text) : text);
  program
    .command('score')
    .description('run a video or a folder of images through a model and save what comes out')
    .argument('[video]', 'the video file, or a folder of images', file)
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
    .option('--contact-sheet <file>', 'also save before/after pairs as one PNG', file)
    .option('--max-parallel <n>', 'containers that run at once', wholeNumber(1, MOST_PARALLEL))
    .option(
      '--tolerate <n>',
      'frames or images that may fail, or percent of them, as in 2%; by default none',
      tolerance,
    )
    .option('--tolerate-batches <n>', 'batches that may be given up; by default none', wholeNumber(0, 10_000_000))
    .addOption(
      new Option(
        '--on-exceeded <choice>',
        'what becomes of containers that run when more has failed: cancel (the default) ends them, finish lets them end',
      ).choices(ON_EXCEEDED),
    )
    .addOption(
      new Option(
        '--fill <choice>',
        'what the video shows in place of a frame that failed: source (the default), the frame itself, or previous, the one before',
      ).choices(FILLS),
    )
    .option(
      '--reuse',
      'copy what the app has made of the same bytes with the same model and style before, and score only the rest',
    )
    .option('--yes', 'go on although the first pictures come out black, white or in one colour')
    .addOption(
      new Option(
        '--compute <kind>',
        `what runs the containers: ${COMPUTES.join(', ')}; aci in a region as in aci:westeurope; …-emulated: a stand-in for Azure on this machine`,
      ).argParser(compute),
    )
    .option(
      '--fallback <kinds>',
      'what else runs them, in this order, when that has no room: like --compute, separated by commas',
      (text: string) => text.split(',').map(compute),
    )
    .option('--fallback-after <seconds>', 'how long to wait for room, by default 300', wholeNumber(1, 7200))
    .addOption(new Option('--device <device>', 'what the model runs on; by default the best there is').choices(DEVICES))
    .option('--url <url>', 'use a deployed app instead of the local stack')
    .option('--key <key>', 'function key of the deployed app that --url names')
    .option(
      '--redrive <job>',
      'in place of a video: go on with a job that was not finished, for what it has not scored',
    )
    .option('--resume', 'go on with what an earlier command with the same request has left, without asking')
    .option('--fresh', 'start a new job, whatever an earlier command with the same request has left')
    .option('--json', 'print the summary as JSON and nothing else')
    .addOption(data)
    .action(async (input: string | undefined, asked: ScoreFlags, command: Command) => {
      const { json: quiet = false, out, redrive, resume, fresh, ...flags } = asked;
      const choice = { ...(resume !== undefined && { resume }), ...(fresh !== undefined && { fresh }) };
      refuseIdleFlags(flags, command.getOptionValueSource('data') === 'cli');
      if (redrive !== undefined) {
        refuseBesideRedrive(input, { ...choice, reuse: flags.reuse });
        return goOnWith(redrive, {
          ...flags,
          quiet,
          env,
          signal,
          ...(out !== undefined && { out }),
          base: resolve(redrive),
        });
      }
      if (input === undefined)
        throw new JobError('user', 'Name a video or a folder of images, or a job to go on with: --redrive JOB.');
      const base = resolve(`${path.parse(input).name}-${path.parse(flags.model).name}`);
      const common = { ...flags, quiet, env, signal };
      if (await isFolder(input)) {
        if (flags.frameRate !== undefined) {
          if (flags.onDamage !== undefined)
            throw new JobError('user', '--on-damage is for a video; leave it out for a folder of images.');
          if (flags.list !== undefined)
            throw new JobError('user', '--list is for images that are scored each by itself; leave it out.');
          await scoreOrGoOn({ ...common, video: input, out, base }, choice);
          return;
        }
        refuseVideoFlags(flags);
        if (out !== undefined && VIDEO_ENDINGS.includes(endingOf(out)))
          throw new JobError(
            'user',
            `${out} is called like a video; make one with --frame-rate, or name a folder with --out.`,
          );
        const { requestOfFolder } = await import('./score-folder.js');
        const options = { ...common, folder: input, out: out ?? base };
        await runFolder({ ...options, ...(await whatIsLeft(options, await requestOfFolder(options), choice)) });
      } else {
        const { frameRate: rate, audio, list } = flags;
        const [given] =
          Object.entries({ '--frame-rate': rate, '--audio': audio, '--list': list }).find(([, value]) => value) ?? [];
        if (given !== undefined)
          throw new JobError(
            'user',
            `${given} is for a folder of images, and ${input} is none; name a folder, or leave it out.`,
          );
        await scoreOrGoOn({ ...common, video: input, out, base }, choice);
      }
    });
}

/** Reads `--frame-rate`. @throws InvalidArgumentError for what is none that is taken. */
function frameRate(text: string): string {
  if (readFrameRate(text) === undefined) throw new InvalidArgumentError(`It ${FRAME_RATES.replaceAll('"', '')}.`);
  return text;
}

/** Scores a video, or goes on with what an earlier command has left of it. */
async function scoreOrGoOn(options: VideoOptions, choice: Choice): Promise<void> {
  await runVideo({ ...options, ...(await whatIsLeft(options, await requestOfVideo(options), choice)) });
}

/** What an earlier command has left of the same job on this machine, if it is to be gone on with. */
async function whatIsLeft(
  { url, data, signal }: JobOptions,
  request: string,
  choice: Choice,
): Promise<Pick<JobOptions, 'resume'>> {
  if (url !== undefined) return {};
  const found = await chooseUnfinished(data, request, choice, signal);
  return found ? { resume: { job: found.job, folder: found.folder } } : {};
}

/** @throws JobError `user` for what has no meaning beside a job that is named. */
function refuseBesideRedrive(
  input: string | undefined,
  { resume, fresh, reuse }: Choice & Pick<ScoreFlags, 'reuse'>,
): void {
  if (input !== undefined) throw new JobError('user', `--redrive names a job; leave ${input} out.`);
  const flag = resume === true ? '--resume' : fresh === true ? '--fresh' : undefined;
  if (flag !== undefined) throw new JobError('user', `--redrive says which job goes on; leave ${flag} out.`);
  if (reuse === true)
    throw new JobError('user', '--redrive goes on with what the job itself has made; leave --reuse out.');
}

/** Goes on with a job, and saves its result as the command that started it would have, where that was on this machine. */
async function goOnWith(job: string, flags: Omit<VideoOptions, 'video'>): Promise<void> {
  checkJobId(job);
  const { url, maxParallel, tolerate, tolerateBatches, onExceeded, fill, yes } = flags;
  const where = computeAsked(flags);
  const tolerated = { ...tolerate, failedBatches: tolerateBatches, onExceeded, fill, doubtfulPictures: yes };
  const found = url === undefined ? await findUnfinished(flags.data, job) : undefined;
  const changes = {
    ...(maxParallel !== undefined && { batch: { maxParallel } }),
    ...(Object.values(tolerated).some((value) => value !== undefined) && { tolerate: tolerated }),
    ...(Object.values(where).some((value) => value !== undefined) && { compute: where }),
  };
  const given = Object.fromEntries(
    Object.entries(flags).filter(([name, value]) => value !== undefined && name !== 'base'),
  );
  const { base } = flags;
  const resume = { job, changes, ...(found && { folder: found.folder }) };
  const options = { base, video: job, ...found?.options, ...given, resume };
  if (found && 'folder' in found.options) await runFolder(options as unknown as FolderOptions);
  else await runVideo(options as VideoOptions);
}

/** Reads the name of a compute. @throws InvalidArgumentError for what is none. */
function compute(text: string): string {
  const [kind = '', region] = text.trim().split(':');
  if (!COMPUTES.includes(kind))
    throw new InvalidArgumentError(
      `It must be one of ${COMPUTES.join(', ')}; aci may name a region, as in aci:westeurope.`,
    );
  if (region !== undefined && !/^[a-z0-9]+$/.test(region))
    throw new InvalidArgumentError('It must name the region as in aci:westeurope.');
  return text.trim();
}

/** Reads an option's value. @throws InvalidArgumentError when it is not such a number. */
export function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };
}

/** @throws InvalidArgumentError when it is no number of items and no percentage. */
function tolerance(text: string): ScoreFlags['tolerate'] {
  if (!text.endsWith('%')) return { failedItems: wholeNumber(0, 10_000_000)(text) };
  const failedPercent = Number(text.slice(0, -1));
  if (!/^\d+(\.\d+)?%$/.test(text) || failedPercent > 100)
    throw new InvalidArgumentError('It must be a whole number, or a percentage from 0% to 100%.');
  return { failedPercent };
}

const isFolder = (file: string) =>
  stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** @throws JobError `user` for an option that would have no effect beside the others. */
export function refuseIdleFlags(
  { url, key, data }: Pick<ScoreFlags, 'url' | 'key' | 'data'>,
  dataGiven: boolean,
): void {
  if (url === undefined && key !== undefined)
    throw new JobError('user', '--key is for a deployed app; name the app with --url, or leave --key out.');
  if (url !== undefined && dataGiven)
    throw new JobError('user', `--data ${data} is for the local stack; leave it out, or leave --url out.`);
}

function refuseVideoFlags({
  audio,
  contactSheet,
  codec,
  quality,
  frameFormat,
  onDamage,
  draw,
  fill,
}: ScoreFlags): void {
  if (audio !== undefined)
    throw new JobError('user', '--audio is for images that become a video; add --frame-rate, or leave it out.');
  const flags = {
    '--contact-sheet': contactSheet,
    '--codec': codec,
    '--quality': quality,
    '--frame-format ppm': frameFormat === 'ppm' ? frameFormat : undefined,
    '--on-damage': onDamage,
    '--fill': fill,
    '--draw': draw,
  };
  const [given] = Object.entries(flags).find(([, value]) => value !== undefined) ?? [];
  if (given !== undefined)
    throw new JobError(
      'user',
      `${given} is for a video; leave it out for a folder of images, or make a video of them with --frame-rate.`,
    );
}

/** Scores a video and prints the summary. */
export async function runVideo(options: VideoOptions): Promise<void> {
  const summary = await scoreVideo(options);
  console.log(options.quiet ? JSON.stringify(summary, null, 2) : renderSummary(summary));
}

/** Scores a folder of images and prints the summary. */
async function runFolder(options: FolderOptions): Promise<void> {
  const { renderFolderSummary, scoreFolder } = await import('./score-folder.js');
  const summary = await scoreFolder(options);
  console.log(options.quiet ? JSON.stringify(summary, null, 2) : renderFolderSummary(summary));
}
