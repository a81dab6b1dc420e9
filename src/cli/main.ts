#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command, CommanderError } from 'commander';
import { JobError, messageOf } from '../job/failure.js';
import { type Around, createAround, errorLine, EXIT } from './around.js';
import { COMMANDS } from './commands.js';
import { endings } from './endings.js';
import { APP_FOLDER, calling } from './installed.js';

const PROGRAM = 'durable-batch-scoring';
const args = process.argv.slice(2);
const end = args.indexOf('--');
const json = (end === -1 ? args : args.slice(0, end)).includes('--json');
const signal = endings(process.env, EXIT.interrupted);
const around = createAround({ env: process.env, signal, json });
/** Commander prints the help that is asked for itself, and throws. */
let refused = '';

try {
  await (await programFor(args, around)).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : EXIT.user;
    if (refused !== '') console.error(errorLine(refused, EXIT.user, json));
  } else {
    const isUsers = error instanceof JobError && error.blame !== 'platform';
    process.exitCode = signal.aborted ? EXIT.interrupted : isUsers ? EXIT.user : EXIT.other;
    console.error(errorLine(messageOf(error), process.exitCode, json));
  }
}

/** The program with all its commands, of which only the one that is asked for is loaded. */
async function programFor(asked: string[], parts: Around): Promise<Command> {
  const [first, second] = asked.filter((each) => !each.startsWith('-'));
  const name = first === 'help' ? second : first;
  const { version } = JSON.parse(readFileSync(path.join(APP_FOLDER, 'package.json'), 'utf8')) as { version: string };
  const program = new Command(PROGRAM)
    .description('Runs an ONNX model over every frame of a video, or over a folder of images.')
    .usage('COMMAND [OPTIONS]')
    .version(version, '--version', 'print the version')
    .exitOverride()
    .configureOutput({ outputError: (text) => (refused = sentenceOf(text, name)) })
    .addHelpText('after', beginning);
  for (const [heading, commands] of Object.entries(COMMANDS)) {
    program.commandsGroup(heading);
    for (const listed of commands) {
      const command = program.command(listed.name).description(listed.does);
      if (listed.alias !== undefined) command.alias(listed.alias);
      if (name !== undefined && [listed.name, listed.alias].includes(name))
        (await listed.load()).define(command, parts);
    }
  }
  // Without a command there is nothing to do, and nothing wrong.
  if (asked.length === 0) program.action(() => console.log(overview(program)));
  return program;
}

/** Commander's sentence without its prefix, with its suggestion or with where to look. */
function sentenceOf(text: string, name: string | undefined): string {
  const said = text
    .trim()
    .replace(/^error: (.)/, (_, letter: string) => letter.toUpperCase())
    .replace(/\n\((Did you mean .*)\)$/s, '. $1');
  if (said.endsWith('?')) return said;
  const isKnown = Object.values(COMMANDS).some((commands) =>
    commands.some((each) => [each.name, each.alias].includes(name)),
  );
  const help = isKnown && name !== undefined ? calling(`${name} --help`) : `npx ${PROGRAM} --help`;
  return `${said.replace(/\.$/, '')}; "${help}" tells what there is.`;
}

function overview(program: Command): string {
  const about = `${program.description()}\n`;
  const lines = Object.values(COMMANDS).flatMap((commands) =>
    commands.map(({ name, does }) => `  ${name.padEnd(8)} ${does}`),
  );
  return [about, ...lines, beginning()].join('\n');
}

/** How to begin, at the end of the help. */
function beginning(): string {
  return [
    '',
    'To begin with:',
    `  ${calling('demo').padEnd(44)} a first video in seconds`,
    `  ${calling('score --help').padEnd(44)} each command explains itself, with examples`,
  ].join('\n');
}
