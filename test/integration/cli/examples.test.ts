import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import sharp from 'sharp';
import pMap from 'p-map';
import { beforeAll, expect, test } from 'vitest';
import { operatorNode } from '../../../src/scorer/onnx/model-messages.js';
import { createAround } from '../../../dist/cli/around.js';
import { COMMANDS } from '../../../dist/cli/commands.js';
import { runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { explained, type Explained, LISTED } from '../../support/examples.js';
import { inboxOf } from '../../support/inbox.js';
import { paint } from '../../support/scorer/pictures.js';
import { externalTensor, modelFile, tensorInfo, tinyModel } from '../../support/scorer/tiny-model.js';
import { useOwnStack } from '../../support/stack.js';

/** Examples that are parsed only, by test/unit/cli/help.test.ts, and why. */
const NOT_RUN: Record<string, string> = {
  'score samples/coast.mp4': 'is in the next one',
  'plan samples/coast.mp4 --compute aci-emulated': 'starts a stack of its own',
  'demo ': 'scores the whole sample',
  'demo --json': 'scores the whole sample',
  'start ': 'runs until it is ended',
  'start --port 8080 --data /tmp/scoring': 'runs until it is ended',
  'start --telemetry': 'runs until it is ended',
  'doctor ': 'looks at the whole machine',
  'doctor --azure': 'asks Azure',
  'doctor --azure --compute aci-emulated': 'starts a stand-in for Azure',
};

const stack = useOwnStack({ env: { INBOX_SWEEP: '* * * * * *' } });
const inbox = inboxOf(stack);
const file = (...parts: string[]) => path.join(stack.folder, ...parts);
const commands = new Map<string, Explained>();
/** What the names in the examples stand for here. */
const stands = new Map<string, string>();
const called = (name: string, args: string[]) => `${name} ${args.join(' ')}`;

beforeAll(async () => {
  for (const each of (await Promise.all(LISTED.map(explained))).flat()) commands.set(each.called, each);
  for (const folder of ['samples', 'photos', 'models', 'holiday']) mkdirSync(file(folder));
  makeClip(file('samples/coast.mp4'), { size: '64x48', rate: '6', seconds: 1 });
  for (const name of ['photo.jpg', 'photos/a.jpg', 'photos/b.jpg'])
    await sharp(paint(32, 24, name.length).data, { raw: { width: 32, height: 24, channels: 3 } }).toFile(file(name));
  const candy = tinyModel({ operator: 'Identity', shape: [1, 3, 'h', 'w'] });
  for (const name of ['candy.onnx', 'models/candy.onnx']) writeFileSync(file(name), candy);
  const weights = externalTensor('c', { location: 'weights', offset: '0', length: '8' }, [1, 1, 1, 2]);
  const parts = { initializer: [weights], node: [operatorNode('Add', ['x', 'c'], 'y')] };
  const ends = { input: [tensorInfo('x', [1, 3, 4, 2])], output: [tensorInfo('y', [1, 3, 4, 2])] };
  writeFileSync(file('large.onnx'), modelFile({ ...parts, ...ends }));
  writeFileSync(file('weights'), Buffer.alloc(8));
  const model = await stack.client.upload('model', file('candy.onnx'));
  await inbox.put('_defaults.json', JSON.stringify({ model }));
  copyFileSync(file('samples/coast.mp4'), file('holiday/_beach.mp4'));
  const beach = { input: { video: '_beach.mp4' }, model, output: { keepFrames: true } };
  writeFileSync(file('holiday/beach.job.json'), JSON.stringify(beach));
  stands.set('https://my-app.azurewebsites.net', stack.url);
});

/** Runs an example as it stands, but for what it names and the folder of the stack, in this process: it takes a tenth of the time. */
async function run({ called: name, command }: Explained, example: string[]): Promise<void> {
  const args = example.map((word) => stands.get(word) ?? word);
  const isLocal = !args.includes('--url') && command.options.some(({ long }) => long === '--data');
  if (isLocal) args.push('--data', name === 'clean' ? file('none') : stack.data);
  const [first = ''] = name.split(' ');
  if (first === 'open') {
    // No program there opens pages.
    expect(await runCli([first, ...args], { env: { PATH: stack.folder } })).toMatchObject({ code: 0 });
    return;
  }
  const listed = Object.values(COMMANDS)
    .flat()
    .find((each) => each.name === first);
  const said = { print: () => undefined, note: () => undefined };
  const env = { ...process.env, INIT_CWD: stack.folder };
  const around = createAround({ env, signal: new AbortController().signal, json: args.includes('--json') });
  const program = new Command('program').exitOverride().command(first).exitOverride();
  (await listed?.load())?.define(program, { ...around, ...said });
  await program.parseAsync([...name.split(' ').slice(1), ...args], { from: 'user' });
}

/** Runs the examples of commands; those of one command one after the other. */
async function runAll(...names: string[]): Promise<void> {
  await pMap(
    names,
    async (name) => {
      const each = commands.get(name);
      if (!each) throw new Error(`There is no command ${name}.`);
      for (const example of each.examples) {
        const words = called(name, example);
        if (words in NOT_RUN) continue;
        await run(each, example).catch((cause: unknown) => {
          throw new Error(`The example "${words}" fails.`, { cause });
        });
        expect(process.exitCode ?? 0, words).toBe(0);
      }
      commands.delete(name);
    },
    { concurrency: 3 },
  );
}

/** Starts a job that waits for images, until it is cancelled. @returns its id. */
async function startWaiting(folder: string): Promise<string> {
  const ready = { model: 'starry-night', expect: { count: 3 } };
  const put = await inbox.put(`${folder}/_READY`, JSON.stringify(ready));
  await inbox.decided(put);
  const { job } = await stack.client.media({ path: `${put.container}/${put.name}`, etag: put.etag });
  return job ?? '';
}

test('all examples in the help of the commands do what they say', async () => {
  for (const words of Object.keys(NOT_RUN))
    expect([...commands.values()].flatMap((each) => each.examples.map((args) => called(each.called, args)))).toContain(
      words,
    );

  await runAll('models inspect');
  await Promise.all([runAll('score'), runAll('models try', 'models join')]);
  await runAll('drop');
  // What is there is refused.
  rmSync(file('coast-starry-night.mp4'));

  const [kept] = (await stack.client.jobs({ limit: 1, from: '' })).jobs;
  stands.set('coast-k3v9q2xa', kept?.id ?? '');
  await runAll('plan', 'jobs', 'status', 'watch', 'logs', 'frames', 'open', 'models list', 'doctor');

  await runAll('redrive');

  stands.set('coast-k3v9q2xa', await startWaiting('one'));
  stands.set('clip-abcd2345', await startWaiting('two'));
  const last = await startWaiting('three');
  const early = await runCli(['open', last, '0', '--print', '--data', stack.data]);
  expect(early).toMatchObject({ code: 2, stderr: expect.stringContaining(`Job ${last} has no batches yet`) as string });
  await runAll('cancel');

  await runAll('clean', 'demo', 'start');
  expect([...commands.keys()]).toEqual([]);
});
