import { expect, test } from 'vitest';
import { parseTask } from '../../../src/container-contract/task.js';

const parse = (value: unknown) => () => parseTask(Buffer.from(JSON.stringify(value)));

test.each([{ jobId: 'a', items: [] }, { contract: 3 }, [], null])(
  'a task of another version is refused by a sentence that says what to do: %j',
  (task) => {
    expect(parse(task)).toThrow(/different versions: run the scorer image/);
  },
);

test('a task that is wrong is refused by its first wrong property', () => {
  expect(parse({ contract: 2, batch: 0 })).toThrow(/The task blob is not valid: jobId/);
});
