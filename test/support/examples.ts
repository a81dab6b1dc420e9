import { Command } from 'commander';
import { createAround } from '../../src/cli/around.js';
import { COMMANDS } from '../../src/cli/commands.js';

const around = createAround({ env: {}, signal: new AbortController().signal, json: false });
export const LISTED = Object.values(COMMANDS).flat();

/** A command as it is called, e.g. `models try`, and the arguments of each example of its help. */
export interface Explained {
  called: string;
  command: Command;
  examples: string[][];
}

/** A command of the list, or those below it, none of which does anything. @throws where an example calls another. */
export async function explained({ name, load }: (typeof LISTED)[number]): Promise<Explained[]> {
  const listed = new Command('program').command(name).exitOverride();
  (await load()).define(listed, around);
  const all = listed.commands.length === 0 ? [listed] : [...listed.commands];
  return all.map((command) => {
    command.action(() => undefined);
    const called = command === listed ? name : `${name} ${command.name()}`;
    return { called, command, examples: linesOf(command).map((line) => argumentsOf(line, called)) };
  });
}

/** What the help of a command shows below "Examples". */
function linesOf(command: Command): string[] {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  const [, below = ''] = help.split('Examples:\n');
  return below.split('\n').filter((line) => /^ {2}\S/.test(line));
}

function argumentsOf(line: string, called: string): string[] {
  const words = line
    .replace(/^ {2}npm (run )?/, '')
    .replace(' -- ', ' ')
    .trim();
  if (!line.startsWith('  npm ') || !words.startsWith(called)) throw new Error(`"${line}" does not call ${called}.`);
  return words.slice(called.length).split(' ').filter(Boolean);
}
