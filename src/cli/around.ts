import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { JobError, messageOf, steeringNothing, unbroken } from '../job/failure.js';
import { APP_FOLDER, calling, usualDataFolder } from './installed.js';

/** How a command ends when it has not done what it was told: for the user to mend, for any other reason, by Ctrl-C. */
export const EXIT = { user: 2, other: 1, interrupted: 130 } as const;

/** What a command has of the process it runs in. */
export interface Around {
  /** The absolute path of a file as the user named it. @throws JobError `user` for no name at all. */
  resolve: (file: string) => string;
  env: NodeJS.ProcessEnv;
  /** Aborted by Ctrl-C, and by whatever else ends the command. */
  signal: AbortSignal;
  /** Whether all that is said is JSON. */
  json: boolean;
  /** Standard output, for the result and nothing else. */
  print: (text: string) => void;
  /** Standard error, for a sentence that is no result. */
  note: (sentence: string) => void;
}

/** Adds what a file of a command exports as `define` to the command that it is called by. */
export type Define = (command: Command, around: Around) => void;

export function createAround(parts: Pick<Around, 'env' | 'signal' | 'json'>): Around {
  const { env, json } = parts;
  /** npm runs scripts in the package's folder and says in INIT_CWD where the user is. */
  const cwd = env.INIT_CWD ?? process.cwd();
  return {
    ...parts,
    resolve: (file) => {
      if (file === '')
        throw new JobError('user', 'The name of a file or folder is empty; leave the option out or name one.');
      return path.resolve(cwd, file);
    },
    print: (text) => console.log(json ? text : steeringNothing(text)),
    note: (sentence) => console.error(json ? JSON.stringify({ note: sentence }) : unbroken(sentence)),
  };
}

/** An argument as a shell takes it. */
const quoted = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** A sentence with which a command ends, as it is printed: with `--json` as `{"error": "…", "exitCode": 2}` on one line. */
export function errorLine(sentence: string, exitCode: number, json: boolean): string {
  const said = messageOf(sentence);
  return json ? JSON.stringify({ error: said, exitCode }) : said;
}

/** Ends the help of a command with lines that run as they stand. */
export function addExamples(command: Command, ...examples: [does: string, ...args: string[]][]): void {
  const name = nameOf(command);
  const lines = examples.map(([does, ...args]) => `  ${calling([name, ...args.map(quoted)].join(' '))}\n      ${does}`);
  command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

/** With the names of the commands that it belongs to. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}

/** The bundled video, from where the user is. */
export function sampleOf({ resolve }: Around): string {
  const sample = path.join(APP_FOLDER, 'samples/coast.mp4');
  const near = path.relative(resolve('.'), sample);
  return near.startsWith('..') ? sample : near;
}

export const addJson = (command: Command, does = 'print the result as JSON'): Command => command.option('--json', does);

/** The option that names the folder of the local stack. */
export const addData = (command: Command, { env, resolve }: Around): Command =>
  command.addOption(
    new Option('--data <folder>', "folder of the local stack's data").default(usualDataFolder(env)).argParser(resolve),
  );

/** Where the app is that a command asks. */
export interface Place {
  url?: string;
  key?: string;
  data: string;
}

/** The options that name the app: the local stack, or a deployed one. */
export const addPlace = (command: Command, around: Around): Command =>
  addData(
    command
      .option('--url <url>', 'ask a deployed app instead of the local stack')
      .option('--key <key>', 'function key of the deployed app that --url names')
      .hook('preAction', (_, acting) => refuseIdle(acting)),
    around,
  );

/** @throws JobError `user` for an option that would have no effect beside the others. */
function refuseIdle(command: Command): void {
  const { url, key, data } = command.opts<Place>();
  if (url === undefined && key !== undefined)
    throw new JobError('user', '--key is for a deployed app; name the app with --url, or leave --key out.');
  if (url !== undefined && command.getOptionValueSource('data') === 'cli')
    throw new JobError('user', `--data ${data} is for the local stack; leave it out, or leave --url out.`);
}

/** Reads an option's value. @throws InvalidArgumentError when it is not such a number. */
export function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };
}
