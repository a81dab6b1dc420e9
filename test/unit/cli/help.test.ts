import { describe, expect, test } from 'vitest';
import { explained, LISTED } from '../../support/examples.js';

describe.each(LISTED)('the help of $name', (each) => {
  test('ends with a few examples, which the command takes as they stand', async () => {
    for (const { command, examples } of await explained(each)) {
      expect(examples.length).toBeGreaterThanOrEqual(command.parent?.parent ? 1 : 2);
      expect(examples.length).toBeLessThanOrEqual(4);
      for (const example of examples) await command.parseAsync(example, { from: 'user' });
    }
  });
});

test('each command has a line of its own in the list, and a script in the package', async () => {
  const { scripts } = (await import('../../../package.json')) as unknown as { scripts: Record<string, string> };
  for (const { name, does } of LISTED) {
    expect(does).toMatch(/^[a-z]/);
    expect(scripts[name]).toContain(`node dist/cli/packed/main.js ${name}`);
  }
});
