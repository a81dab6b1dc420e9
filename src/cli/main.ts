import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { DEVICES } from '../job/device.js';
import { JobError, messageOf } from '../job/failure.js';
import { QUALITIES, VIDEO_CODECS } from '../job/output.js';
import { COMPUTES, FRAME_FORMATS } from './run-job.js';
import type { FolderOptions } from './score-folder.js';
import { ON_DAMAGE, score, type ScoreOptions } from './score.js';
import { start } from './start.js';
import { renderSummary, type Summary } from './summary.js';

const APP_FOLDER = fileURLToPath(new URL('../..', import.meta.url));
/** npm runs scripts in the package's folder and says here where the user stood. */
const cwd = process.env.INIT_CWD ?? process.cwd();
const EXIT_USER = 2;
const EXIT_OTHER = 1;
const EXIT_INTERRUPTED = 130;

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

const resolve = (file: string) => path.resolve(cwd, file);
const isFolder = (file: string) =>
  stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );

function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };
}

// What only some commands need is loaded by them: the demo starts sooner.
const program = new Command('score').exitOverride().showHelpAfterError('(add --help for all options)');
const port = wholeNumber(1, 65_535);
const data = ['--data <folder>', "folder for the local stack's data", path.join(APP_FOLDER, '.local')] as const;

program
  .command('start')
  .description('run the local stack (Azurite, the Functions host, local compute) until Ctrl-C')
  .option('--port <port>', 'port of the app; by default 7071 or the next free one', port)
  .option('--azurite-port <port>', 'port of blob storage; by default 10000 or the next free one', port)
  .option(...data)
  .action((options: { port?: number; azuritePort?: number; data: string }) =>
    start({ ...options, folder: resolve(options.data), env: process.env, signal: interrupted.signal }),
  );

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
    const model = flags.model.endsWith('.onnx') ? resolve(flags.model) : flags.model;
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
      await runFolder({ ...common, folder: resolve(video), out: out ?? base });
    } else {
      const { codec, quality, onDamage } = flags;
      const contactSheet = optional(flags.contactSheet);
      await run({ ...common, video: resolve(video), codec, quality, onDamage, contactSheet, out, base });
    }
  });

program
  .command('demo')
  .description('run the bundled sample through the bundled model')
  .option(...data)
  .action(async (options: { data: string }) => {
    const folder = path.join(APP_FOLDER, 'out');
    await mkdir(folder, { recursive: true });
    const name = path.join(folder, 'coast-starry-night');
    const sample = {
      video: path.join(APP_FOLDER, 'samples/coast.mp4'),
      model: 'starry-night',
      base: name,
      contactSheet: `${name}.contact-sheet.png`,
    };
    await run({ ...sample, data: resolve(options.data), quiet: false });
  });

program
  .command('model')
  .description('look into model files')
  .command('inspect')
  .description('draft the card of an .onnx file and name what the model does not say')
  .argument('<file>', 'the .onnx file')
  .option('--out <file>', 'where the card goes; by default it is printed')
  .action(async (file: string, { out }: { out?: string }) => {
    const { cardText, describeQuestions, inspect } = await import('./model.js');
    const draft = await inspect(resolve(file), out === undefined ? undefined : resolve(out));
    if (out === undefined) process.stdout.write(cardText(draft));
    for (const line of describeQuestions(draft)) console.error(line);
  });

function refuseVideoFlags({ contactSheet, codec, quality, onDamage }: ScoreFlags): void {
  const flags = { '--contact-sheet': contactSheet, '--codec': codec, '--quality': quality, '--on-damage': onDamage };
  const [given] = Object.entries(flags).find(([, value]) => value !== undefined) ?? [];
  if (given !== undefined) throw new JobError('user', `${given} is for a video; leave it out for a folder of images.`);
}

async function run(options: Omit<ScoreOptions, 'env' | 'signal'>): Promise<void> {
  const summary: Summary = await score({ ...options, env: process.env, signal: interrupted.signal });
  console.log(options.quiet ? JSON.stringify(summary, null, 2) : renderSummary(summary));
}

async function runFolder(options: Omit<FolderOptions, 'env' | 'signal'>): Promise<void> {
  const { renderFolderSummary, scoreFolder } = await import('./score-folder.js');
  const summary = await scoreFolder({ ...options, env: process.env, signal: interrupted.signal });
  console.log(options.quiet ? JSON.stringify(summary, null, 2) : renderFolderSummary(summary));
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its sentence, or the help that was asked for.
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USER;
  } else {
    console.error(messageOf(error));
    process.exitCode = interrupted.signal.aborted
      ? EXIT_INTERRUPTED
      : error instanceof JobError && error.kind !== 'platform'
        ? EXIT_USER
        : EXIT_OTHER;
  }
}
