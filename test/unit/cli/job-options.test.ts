import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createAround } from '../../../src/cli/around.js';
import { addJobOptions, type JobFlags } from '../../../src/cli/score/asked.js';
import { addChanges, type ChangeFlags, changesOf } from '../../../src/cli/score/changes.js';
import { define } from '../../../src/cli/score/score.js';
import { uploadAll } from '../../../src/cli/score/run-job.js';
import { type JobSpec, parseSpec } from '../../../src/job/spec.js';

const around = createAround({ env: {}, signal: new AbortController().signal, json: false });
const quietly = () => new Command('score').exitOverride().configureOutput({ writeErr: () => undefined });

/** The specification that `score` sends with these options, as the app reads it. */
async function specOf(...options: string[]): Promise<JobSpec> {
  const command = addJobOptions(quietly(), around);
  const flags = command.parse(options, { from: 'user' }).opts<JobFlags>();
  const client = { upload: () => Promise.reject(new Error()), placeImages: () => Promise.reject(new Error()) };
  const uploader = { ...client, put: () => Promise.reject(new Error()) };
  const job = { ...flags, quiet: true, env: {}, signal: around.signal, note: () => undefined };
  const input = { input: { video: 'inbox/a.mp4' }, output: {}, renamed: [] };
  const { spec } = await uploadAll(uploader, job, () => Promise.resolve(input));
  return parseSpec(JSON.stringify(spec));
}

const changesWith = (...options: string[]) =>
  changesOf(addChanges(quietly()).parse(options, { from: 'user' }).opts<ChangeFlags>());

describe('an option of `score` says what the job specification calls', () => {
  test.each<[string, string, object]>([
    ['--pack', '1', { batch: { pack: 1 } }],
    ['--pack', '1000', { batch: { pack: 1000 } }],
    ['--pack', 'auto', { batch: { pack: 'auto' } }],
    ['--batch-size', '5000', { batch: { size: 5000 } }],
    ['--batch-size', 'auto', { batch: { size: 'auto' } }],
    ['--item-seconds', '7000', { timeouts: { itemSeconds: 7000, stallSeconds: 7200 } }],
    ['--batch-seconds', '86400', { timeouts: { batchSeconds: 86_400 } }],
    ['--gpu', 'prefer', { compute: { kind: 'local', gpu: 'prefer' } }],
    ['--memory', '0.5', { compute: { memoryGb: 0.5 } }],
    ['--memory', '240', { compute: { memoryGb: 240 } }],
  ])('%s %s', async (option, value, said) => {
    expect(await specOf(option, value)).toMatchObject(said);
  });

  test('--keep-frames', async () => {
    expect(await specOf('--keep-frames')).toMatchObject({ output: { keepFrames: true } });
    expect(await specOf()).toMatchObject({ output: { keepFrames: false } });
  });

  test('and, together with another of the same part, both', async () => {
    expect(await specOf('--pack', '2', '--batch-size', '4', '--max-parallel', '3')).toMatchObject({
      batch: { pack: 2, size: 4, maxParallel: 3 },
    });
  });
});

test('without options a job says nothing but its defaults', async () => {
  const least = { input: { video: 'inbox/a.mp4' }, model: 'starry-night' };
  expect(await specOf()).toEqual(parseSpec(JSON.stringify(least)));
  expect(changesWith()).toEqual({});
});

test.each([
  ['--pack', '0'],
  ['--pack', '1001'],
  ['--pack', '1.5'],
  ['--pack', 'all'],
  ['--batch-size', '5001'],
  ['--item-seconds', '7001'],
  ['--item-seconds', '0'],
  ['--batch-seconds', '86401'],
  ['--gpu', 'some'],
  ['--memory', '0.4'],
  ['--memory', '241'],
  ['--memory', '1e2'],
])('%s %s is refused before anything is uploaded', async (option, value) => {
  await expect(specOf(option, value)).rejects.toThrow(new RegExp(`'${option} <.+>' argument '${value}' is invalid\\.`));
});

test('what may be different when a job starts once more goes into its changes', () => {
  const flags = ['--batch-size', '8', '--item-seconds', '300', '--gpu', 'require', '--memory', '8'];
  expect(changesWith(...flags)).toMatchObject({
    batch: { size: 8 },
    timeouts: { itemSeconds: 300 },
    compute: { gpu: 'require', memoryGb: 8 },
  });
});

test.each([
  [['--codec', 'vp9'], 'A job that goes on makes what it was started for; leave --codec out.'],
  [['--model', 'starry-night'], 'A job that goes on makes what it was started for; leave --model out.'],
  [['--pack', '1'], 'A job that goes on makes what it was started for; leave --pack out.'],
  [['--draw'], 'A job that goes on makes what it was started for; leave --draw out.'],
  [['--reuse'], 'A job that goes on makes what it was started for; leave --reuse out.'],
  [['--preview', '3'], 'A job that goes on makes what it was started for; leave --preview out.'],
  [['--fresh'], '--redrive says which job goes on; leave --fresh out.'],
  [['--max-parallel', '2', 'clip.mp4'], /^--redrive names a job; leave .*clip\.mp4 out\.$/],
])('beside --redrive, %j is refused, as it would have no effect', async (given, sentence) => {
  const command = quietly();
  define(command, around);
  const acting = command.parseAsync(['--redrive', 'coast-k3v9q2xa', ...given], { from: 'user' });
  await expect(acting).rejects.toThrow(sentence);
});
