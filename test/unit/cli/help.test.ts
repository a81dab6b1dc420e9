import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createAround } from '../../../src/cli/around.js';
import { COMMANDS } from '../../../src/cli/commands.js';

const around = createAround({ env: {}, signal: new AbortController().signal, json: false });
const listed = Object.values(COMMANDS).flat();

/** A command with those below it, each of which does nothing. */
async function load({ name, load: read }: (typeof listed)[number]): Promise<Command[]> {
  const command = new Command('program').command(name).exitOverride();
  (await read()).define(command, around);
  const all = command.commands.length === 0 ? [command] : [...command.commands];
  for (const each of all) each.action(() => undefined);
  return all;
}

/** What the help of a command shows below "Examples". */
function examplesOf(command: Command): string[] {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  const [, below = ''] = help.split('Examples:\n');
  return below.split('\n').filter((line) => /^ {2}\S/.test(line));
}

describe.each(listed)('the help of $name', (each) => {
  test('ends with a few examples, which the command takes as they stand', async () => {
    for (const command of await load(each)) {
      const lines = examplesOf(command);
      expect(lines.length).toBeGreaterThanOrEqual(command.parent?.parent ? 1 : 2);
      expect(lines.length).toBeLessThanOrEqual(4);
      const path = command.parent?.parent ? `${each.name} ${command.name()}` : each.name;
      for (const line of lines) {
        expect(line.startsWith('  npm ')).toBe(true);
        const words = line
          .trim()
          .replace(/^npm (run )?/, '')
          .replace(' -- ', ' ');
        expect(words.startsWith(path)).toBe(true);
        await command.parseAsync(words.slice(path.length).split(' ').filter(Boolean), { from: 'user' });
      }
    }
  });
});

test('each command has a line of its own in the list, and a script in the package', async () => {
  const { scripts } = (await import('../../../package.json')) as unknown as { scripts: Record<string, string> };
  for (const { name, does } of listed) {
    expect(does).toMatch(/^[a-z]/);
    expect(scripts[name]).toContain(`node dist/cli/packed/main.js ${name}`);
  }
});
