import { stat } from 'node:fs/promises';
import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEVICES } from '../../job/device.js';
import { JobError } from '../../job/failure.js';
import { QUALITIES, VIDEO_CODECS } from '../../job/output.js';
import { isModelFile } from './checks.js';
import { COMPUTES, FRAME_FORMATS } from './run-job.js';
import type { FolderOptions } from './score-folder.js';
import { ON_DAMAGE, score, type ScoreOptions } from './score.js';
import { renderSummary } from './summary.js';

/** What a command has of the process it runs in. */
interface Surroundings {
  /** The absolute path of a file as the user named it. */
  resolve: (file: string) => string;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

const isFolder = (file: string) =>
  stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** Reads an option's value. @throws InvalidArgumentError when it is not such a number. */
export function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };
}

interface ScoreFlags extends Partial<
  Pick<
    ScoreOptions,
    | 'card'
    | 'labels'
    | 'style'
    | 'codec'
    | 'quality'
    | 'frameFormat'
    | 'onDamage'
    | 'contactSheet'
    | 'maxParallel'
    | 'tolerate'
    | 'compute'
    | 'device'
    | 'url'
    | 'key'
  >
> {
  model: string;
  out?: string;
  data: string;
  json?: boolean;
}

/** Adds `score VIDEO|FOLDER`; `data` is the option for the local stack's folder. */
export function addScoreCommand(
  program: Command,
  data: readonly [string, string, string],
  { resolve, env, signal }: Surroundings,
): void {
  program
    .command('score')
    .description('run a video or a folder of images through a model and save what comes out')
    .argument('<video>', 'the video file, or a folder of images')
    .option('--model <model>', 'a model of the app by name, or an .onnx file', 'starry-night')
    .option('--card <file>', "the model's card, when it does not lie beside the .onnx file as .json")
    .option('--labels <file>', "the names of the model's classes, when its card does not name a file")
    .option('--style <image>', 'the style picture, for a model with a style input')
    .option(
      '--out <file>',
      'where the painted video goes, its ending chooses the container, by default VIDEO-MODEL.mp4 here; for images a folder, FOLDER-MODEL',
    )
    .addOption(new Option('--codec <codec>', 'codec of the painted video, by default h264').choices(VIDEO_CODECS))
    .addOption(new Option('--quality <quality>', 'quality of the painted video, by default good').choices(QUALITIES))
    .addOption(
      new Option('--frame-format <format>', 'what pictures are stored as, by default png').choices(FRAME_FORMATS),
    )
    .addOption(new Option('--on-damage <choice>', 'what becomes of a video that breaks half-way').choices(ON_DAMAGE))
    .option('--contact-sheet <file>', 'also save before/after pairs as one PNG')
    .option('--max-parallel <n>', 'containers that run at once', wholeNumber(1, 100))
    .option('--tolerate <n>', 'frames or images that may fail; by default none', wholeNumber(0, 10_000_000))
    .addOption(
      new Option(
        '--compute <kind>',
        'what runs the containers; …-emulated: a stand-in for Azure on this machine',
      ).choices(COMPUTES),
    )
    .addOption(new Option('--device <device>', 'what the model runs on; by default the best there is').choices(DEVICES))
    .option('--url <url>', 'use a deployed app instead of the local stack')
    .option('--key <key>', 'function key of the deployed app')
    .option('--json', 'print the summary as JSON and nothing else')
    .option(...data)
    .action(async (video: string, flags: ScoreFlags) => {
      const model = isModelFile(flags.model) ? resolve(flags.model) : flags.model;
      const optional = (file: string | undefined) => (file === undefined ? undefined : resolve(file));
      const { frameFormat, maxParallel, tolerate, compute, device, url, key } = flags;
      const { name } = path.parse(resolve(video));
      const out = optional(flags.out);
      const base = resolve(`${name}-${path.parse(flags.model).name}`);
      const common = {
        model,
        card: optional(flags.card),
        labels: optional(flags.labels),
        style: optional(flags.style),
        frameFormat,
        maxParallel,
        tolerate,
        compute,
        device,
        url,
        key,
        data: resolve(flags.data),
        quiet: flags.json === true,
      };
      if (await isFolder(resolve(video))) {
        refuseVideoFlags(flags);
        await runFolder({ ...common, env, signal, folder: resolve(video), out: out ?? base });
      } else {
        const { codec, quality, onDamage } = flags;
        const contactSheet = optional(flags.contactSheet);
        await runVideo({
          ...common,
          env,
          signal,
          video: resolve(video),
          codec,
          quality,
          onDamage,
          contactSheet,
          out,
          base,
        });
      }
    });
}

function refuseVideoFlags({ contactSheet, codec, quality, onDamage }: ScoreFlags): void {
  const flags = { '--contact-sheet': contactSheet, '--codec': codec, '--quality': quality, '--on-damage': onDamage };
  const [given] = Object.entries(flags).find(([, value]) => value !== undefined) ?? [];
  if (given !== undefined) throw new JobError('user', `${given} is for a video; leave it out for a folder of images.`);
}

/** Scores a video and prints the summary. */
export async function runVideo(options: ScoreOptions): Promise<void> {
  const summary = await score(options);
  console.log(options.quiet ? JSON.stringify(summary, null, 2) : renderSummary(summary));
}

async function runFolder(options: FolderOptions): Promise<void> {
  const { renderFolderSummary, scoreFolder } = await import('./score-folder.js');
  const summary = await scoreFolder(options);
  console.log(options.quiet ? JSON.stringify(summary, null, 2) : renderFolderSummary(summary));
}
