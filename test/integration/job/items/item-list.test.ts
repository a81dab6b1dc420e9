import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';

test('a million names go through a heap that could not hold them', () => {
  const program = `
      import { createOutputNames, formatList, groupsOf, LIST_LENGTH } from '${path.resolve('dist/job/items/item-list.js')}';
      const nameOutput = createOutputNames();
      async function* items() {
        for (let index = 0; index < 1_000_000; index += 1) {
          const name = 'a folder of a certain depth/and length/' + String(index).padStart(7, '0') + '.jpeg';
          yield { name, output: nameOutput(name) };
        }
      }
      let [lists, bytes] = [0, 0];
      for await (const list of groupsOf(items(), LIST_LENGTH)) { lists += 1; bytes += formatList(list).length; }
      console.log(lists, bytes > 100_000_000);`;
  const options = ['--max-old-space-size=24', '--input-type=module', '--eval', program];
  const { stdout, stderr } = spawnSync(process.execPath, options, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout.trim()).toBe('1000 true');
});
