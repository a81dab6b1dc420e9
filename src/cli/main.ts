#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { JobError, messageOf } from '../job/failure.js';
import { FRAME_FORMATS } from '../job/items/formats.js';
import type { DropOptions } from './commands/drop.js';
import type { FramesOptions } from './commands/frames.js';
import type { LogsOptions } from './commands/logs.js';
import { addScoreCommand, refuseIdleFlags, runVideo, wholeNumber } from './score/score.js';
import { start } from './commands/start.js';
import { endings } from './endings.js';
import { APP_FOLDER, IS_CHECKOUT, usualDataFolder } from './installed.js';

/** npm runs scripts in the package's folder and says in INIT_CWD where the user is. */
const cwd = process.env.INIT_CWD ?? process.cwd();
const EXIT_USER = 2;
const EXIT_OTHER = 1;
const EXIT_INTERRUPTED = 130;

const interrupted = endings(process.env, EXIT_INTERRUPTED);

/** @throws JobError `user` for no name at all, which would be the folder that the user is in. */
function resolve(file: string): string {
  if (file === '')
    throw new JobError('user', 'The name of a file or folder is empty; leave the option out or name one.');
  return path.resolve(cwd, file);
}

// What only some commands need is loaded by them: the demo starts sooner.
const { version } = JSON.parse(readFileSync(path.join(APP_FOLDER, 'package.json'), 'utf8')) as { version: string };
const program = new Command('durable-batch-scoring')
  .version(version, '--version', 'print the version')
  .exitOverride()
  .showHelpAfterError('(add --help for all options)');
const port = wholeNumber(1, 65_535);
const data = new Option('--data <folder>', "folder for the local stack's data")
  .default(usualDataFolder(process.env))
  .argParser(resolve);

program
  .command('start')
  .description('run the local stack (Azurite, the Functions host, local compute) until Ctrl-C')
  .option('--port <port>', 'port of the app; by default 7071 or the next free one', port)
  .option('--azurite-port <port>', 'port of blob storage; by default 10000 or the next free one', port)
  .option('--watch', 'rebuild and restart the app when its source changes', false)
  .option('--telemetry', 'show the trace of each job that ends, as a table and as a page', false)
  .addOption(data)
  .action(
    ({
      data: folder,
      ...options
    }: {
      port?: number;
      azuritePort?: number;
      watch: boolean;
      telemetry: boolean;
      data: string;
    }) => start({ ...options, folder, env: process.env, signal: interrupted }),
  );

addScoreCommand(program, data, { resolve, env: process.env, signal: interrupted });

program
  .command('demo')
  .description('run the bundled sample through the bundled model')
  .addOption(data)
  .action(async (options: { data: string }) => {
    const folder = path.join(IS_CHECKOUT ? APP_FOLDER : cwd, 'out');
    await mkdir(folder, { recursive: true });
    const name = path.join(folder, 'coast-starry-night');
    const sample = {
      video: path.join(APP_FOLDER, 'samples/coast.mp4'),
      model: 'starry-night',
      base: name,
      contactSheet: `${name}.contact-sheet.png`,
      overwrite: true,
    };
    await runVideo({
      ...sample,
      data: options.data,
      quiet: false,
      env: process.env,
      signal: interrupted,
    });
  });

program
  .command('drop')
  .description('upload files into the inbox of the app, and follow the jobs that they start')
  .argument('<files...>', 'the files, or folders whose files are meant')
  .option('--folder <name>', 'folder of the inbox; by default its top')
  .option('--url <url>', 'ask a deployed app instead of the local stack')
  .option('--key <key>', 'function key of the deployed app that --url names')
  .addOption(data)
  .action(async (files: string[], flags: DropFlags, command: Command) => {
    refuseIdleFlags(flags, command.getOptionValueSource('data') === 'cli');
    const { drop } = await import('./commands/drop.js');
    const shown = { stream: process.stderr, print: (line: string) => console.log(line) };
    await drop({ ...flags, files: files.map(resolve), signal: interrupted, ...shown });
  });

program
  .command('logs')
  .description("show what a job's containers have said")
  .argument('<job>', 'the id of the job')
  .option('--batch <n>', 'of this batch only, counted from 0', wholeNumber(0, 999_999_999))
  .option('--attempt <n>', 'of this attempt only, counted from 1', wholeNumber(1, 999_999_999))
  .option('--follow', 'go on until the job is over', false)
  .option('--json', 'print each line as JSON', false)
  .option('--url <url>', 'ask a deployed app instead of the local stack')
  .option('--key <key>', 'function key of the deployed app that --url names')
  .addOption(data)
  .action(async (job: string, options: LogsFlags, command: Command) => {
    refuseIdleFlags(options, command.getOptionValueSource('data') === 'cli');
    const { showLogs } = await import('./commands/logs.js');
    const note = (sentence: string) => console.error(sentence);
    const surroundings = { env: process.env, signal: interrupted, out: process.stdout, note };
    if (!(await showLogs({ job, ...options, ...surroundings }))) process.exitCode = EXIT_INTERRUPTED;
  });

program
  .command('frames')
  .description('save the frames of a job that kept them, or that has not ended')
  .argument('<job>', 'the id of the job')
  .requiredOption('--out <folder>', 'where the frames go', resolve)
  .option('--source', 'the frames before they were scored', false)
  .addOption(
    new Option(
      '--format <format>',
      'what they are saved as; by default as they are stored, and png in place of ppm',
    ).choices(FRAME_FORMATS),
  )
  .option('--overwrite', 'replace frames of other runs', false)
  .option('--url <url>', 'ask a deployed app instead of the local stack')
  .option('--key <key>', 'function key of the deployed app that --url names')
  .addOption(data)
  .action(async (job: string, flags: FramesFlags, command: Command) => {
    refuseIdleFlags(flags, command.getOptionValueSource('data') === 'cli');
    const { renderFrames, saveFrames } = await import('./commands/frames.js');
    const options = { job, ...flags, signal: interrupted, stream: process.stderr, quiet: false };
    console.log(renderFrames(await saveFrames(options), options));
  });

program
  .command('clean')
  .description('list what ended jobs have left in the data of the local stack, and remove it with --yes')
  .option('--yes', 'remove what is listed', false)
  .option('--days <n>', 'leave jobs alone that ended in the last days', wholeNumber(0, 36_500), 0)
  .option('--all', 'everything goes: uploads, outputs, models and jobs that have not ended, too', false)
  .addOption(data)
  .action(async ({ data: folder, ...options }: { yes: boolean; days: number; all: boolean; data: string }) => {
    const { clean } = await import('./commands/clean.js');
    await clean({ ...options, folder, env: process.env, print: (line) => console.log(line) });
  });

const model = program.command('model').description('look into model files');
model
  .command('inspect')
  .description('draft the card of an .onnx file and name what the model does not say')
  .argument('<file>', 'the .onnx file')
  .option('--out <file>', 'where the card goes; by default it is printed')
  .action(async (file: string, { out }: { out?: string }) => {
    const { cardText, describeQuestions, inspect } = await import('./commands/model.js');
    const draft = await inspect(resolve(file), out === undefined ? undefined : resolve(out));
    if (out === undefined) process.stdout.write(cardText(draft));
    for (const line of describeQuestions(draft)) console.error(line);
  });
model
  .command('join')
  .description('make one file of an .onnx file and the files beside it that hold its weights')
  .argument('<file>', 'the .onnx file')
  .requiredOption('--out <file>', 'where the whole model goes')
  .action(async (file: string, { out }: { out: string }) => {
    const { join } = await import('./commands/model.js');
    const joined = await join(resolve(file), resolve(out));
    console.log(`${out} holds the model with the weights of ${joined.join(', ')}.`);
  });

type DropFlags = Omit<DropOptions, 'files' | 'signal' | 'stream' | 'print'>;
type FramesFlags = Omit<FramesOptions, 'job' | 'signal' | 'stream' | 'quiet'>;
type LogsFlags = Omit<LogsOptions, 'job' | 'env' | 'signal' | 'out' | 'note'>;

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its sentence, or the help that was asked for.
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USER;
  } else {
    console.error(messageOf(error));
    process.exitCode = interrupted.aborted
      ? EXIT_INTERRUPTED
      : error instanceof JobError && error.blame !== 'platform'
        ? EXIT_USER
        : EXIT_OTHER;
  }
}
