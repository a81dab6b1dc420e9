import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { ROOT } from '../../support/scorer/harness.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();
let inputs = '';
beforeAll(() => {
  inputs = path.join(stack.folder, 'inputs');
  mkdirSync(path.join(inputs, 'pictures'), { recursive: true });
  makeClip(path.join(inputs, 'clip.mp4'), { seconds: 1 });
  copyFileSync(path.join(ROOT, 'samples/style-waves.jpg'), path.join(inputs, 'pictures/one.jpg'));
  writeFileSync(path.join(inputs, 'list.txt'), 'two.jpg\n');
  writeFileSync(path.join(inputs, 'broken.onnx'), 'no model');
  writeFileSync(path.join(inputs, 'file'), '');
});

/** Runs a command that is refused, in a folder of its own. @returns what it has left there. */
async function leftBy(args: string[]): Promise<string[]> {
  const cwd = mkdtempSync(path.join(stack.folder, 'refused-'));
  const named = args.map((each) => each.replace('IN/', `${inputs}/`));
  const { code, stderr } = await runCli(named, { cwd });
  expect(code, stderr).toBe(2);
  return readdirSync(cwd, { recursive: true }).map(String);
}

const ids = (cases: string[]) => cases.map((words): [string] => [words]);

describe('a command that is refused before anything is started leaves nothing:', () => {
  test.each(
    ids([
      'score IN/nowhere.mp4 --out new',
      'score IN/clip.mp4 --out new/deeper --contact-sheet no/such/sheet.png',
      'score IN/clip.mp4 --out new --contact-sheet IN/clip.mp4',
      'score IN/clip.mp4 --out new --model IN/nowhere.onnx',
      'score IN/pictures --out new --model IN/nowhere.onnx',
      'score IN/pictures --out new --model IN/broken.onnx --card IN/nowhere.json',
      'score IN/pictures --out new --list IN/list.txt',
      'score IN/pictures --out new --style IN/nowhere.jpg',
      'score IN/pictures --out new/deeper',
      'score IN/pictures --out IN/file/new',
      'score IN/clip.mp4 --out IN/file/new',
      'score IN/clip.mp4 --preview 2 --contact-sheet new/sheet.png',
      'score IN/pictures --frame-rate 0 --out new',
      'plan IN/clip.mp4 --model IN/nowhere.onnx',
      'models try IN/broken.onnx IN/pictures/one.jpg --out new/one.png',
      'models inspect IN/broken.onnx --out new.json',
      'models join IN/broken.onnx --out new/whole.onnx',
    ]),
  )('%s', async (words) => {
    expect(
      await leftBy([...words.split(' '), '--data', 'data'].slice(0, words.startsWith('models') ? -2 : undefined)),
    ).toEqual([]);
  });

  test.each(
    ids([
      'jobs',
      'status',
      'watch',
      'logs clip-abcd2345',
      'cancel clip-abcd2345',
      'redrive clip-abcd2345',
      'open latest --print',
      'drop IN/clip.mp4',
      'frames clip-abcd2345 --out new',
      'score --redrive clip-abcd2345 --out new IN/clip.mp4',
    ]),
  )('%s, where no stack runs', async (words) => {
    expect(await leftBy([...words.split(' '), '--data', 'data'])).toEqual([]);
  });

  test('start, whose port is another program’s', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    expect(await leftBy(['start', '--port', String(port), '--data', 'data'])).toEqual([]);
  });
});

describe('what the app refuses leaves nothing:', () => {
  test.each(
    ids([
      'score IN/clip.mp4 --out new --model no-such-model',
      'score IN/pictures --out new --model no-such-model',
      'score IN/pictures --out new --model IN/broken.onnx',
      'frames clip-abcd2345 --out new/deeper',
    ]),
  )('%s', async (words) => {
    expect(await leftBy([...words.split(' '), '--data', stack.data])).toEqual([]);
  });
});
