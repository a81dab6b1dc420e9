import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type CliResult, runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { hasSharedData, sharedData } from '../../support/shared-data.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();
let clip = '';

beforeAll(() => {
  clip = makeClip(path.join(stack.folder, 'clip.mp4'), { seconds: 1 });
});

const file = (name: string) => path.join(stack.folder, name);
const score = (args: string[]) => runCli(['score', ...args, '--data', stack.data], { cwd: stack.folder });

/** What every refusal has: one sentence, the exit code of a user's mistake, and nothing of the program's inside. */
function expectSentence({ code, stdout, stderr }: CliResult, sentence: string | RegExp): void {
  const said = stderr
    .trim()
    .split('\n')
    .filter((line) => !/^(job|queued|prepare|split|score|stitch|finish): /.test(line));
  expect(said.join('\n')).toMatch(sentence);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/\.$/);
  expect(said[0]).not.toMatch(/\s+at .+:\d+:\d+|Error:|sig=|AccountKey/);
  // Files are called as the user called them, not as the app stores them.
  expect(said[0]).not.toMatch(/(in|out)box\/|styles\/|\.onnx-[a-z2-7]{8}/);
  expect(stdout).toBe('');
  expect(code).toBe(2);
}

describe('before anything is started, score refuses', () => {
  test('a video that does not exist', async () => {
    expectSentence(await score(['nowhere.mp4']), /^There is no video .*nowhere\.mp4; check the path\.$/);
  });

  test('an empty video', async () => {
    writeFileSync(file('empty.mp4'), '');
    expectSentence(await score(['empty.mp4']), /^The video .*empty\.mp4 is empty; copy or download it again\.$/);
  });

  test('a picture in place of a video', async () => {
    writeFileSync(file('cat.jpg'), 'whatever');
    expectSentence(await score(['cat.jpg']), /cat\.jpg is a picture; put it into a folder and name the folder\.$/);
    writeFileSync(file('cat.heic'), 'whatever');
    expectSentence(await score(['cat.heic']), /cat\.heic is a HEIC file; convert it .+ put it into a folder/);
  });

  test('a folder without images', async () => {
    mkdirSync(file('folder/nested'), { recursive: true });
    writeFileSync(file('folder/nested/notes.txt'), 'no picture');
    expectSentence(
      await score(['folder']),
      /^There are no images .*in .*folder, but one file of another kind; name a folder of images\.$/,
    );
  });

  test('a folder with nothing but pictures that must be converted', async () => {
    mkdirSync(file('phone'));
    for (const name of ['IMG_1.HEIC', 'IMG_2.HEIC', 'IMG_3.dng']) writeFileSync(file(`phone/${name}`), 'whatever');
    expectSentence(
      await score(['phone']),
      /^There are no images .*phone, but 2 HEIC files \(convert them to JPEG.*\), 1 camera raw file \(develop it.*\);/,
    );
  });

  test.each<[string[], RegExp]>([
    [['--out', 'pictures'], /pictures is the folder of the images itself; name another one with --out\.$/],
    [['--out', 'pictures/a.png'], /a\.png is a file; name a folder with --out\.$/],
    [['--out', '/proc/out'], /^The folder \/proc\/out cannot be written \(.+\); name another one with --out\.$/],
    [['--frame-format', 'ppm'], /^--frame-format ppm is for a video; leave it out .*--frame-rate\.$/],
    [['--codec', 'vp9'], /^--codec is for a video; leave it out for a folder of images, or make .*--frame-rate\.$/],
    [['--out', 'a.mp4'], /a\.mp4 is called like a video; make one with --frame-rate, or name a folder with --out\.$/],
    [['--frame-rate', '24', '--audio', 'none.mp3'], /^There is no sound file .*none\.mp3; check the path\.$/],
  ])('a folder of images with the options %j', async (options, sentence) => {
    mkdirSync(file('pictures'), { recursive: true });
    writeFileSync(file('pictures/a.png'), 'whatever');
    expectSentence(await score(['pictures', ...options]), sentence);
  });

  test('a folder with nothing but a broken link', async () => {
    mkdirSync(file('links'), { recursive: true });
    symlinkSync(file('nowhere.png'), file('links/a.png'));
    expectSentence(
      await score(['links']),
      /^There are no images .+ in .+links, but 1 broken link \(mend or remove it\); name a folder of images\.$/,
    );
  });

  test('a model file that does not exist', async () => {
    expectSentence(await score([clip, '--model', 'none.onnx']), /There is no model .*none\.onnx; check the path\./);
  });

  test('a card for a model of the app, which has its own', async () => {
    expectSentence(
      await score([clip, '--card', 'card.json']),
      /^--card goes with a model file; "starry-night" has its own card\.$/,
    );
  });

  test.each([
    [['--key', 'abc'], /^--key is for a deployed app; name the app with --url, or leave --key out\.$/],
    [
      ['--url', 'http://127.0.0.1:9', '--data', '/tmp/d'],
      /^--data \/tmp\/d is for the local stack; leave it out, or leave --url out\.$/,
    ],
  ])('options of which one would have no effect: %j', async (options, sentence) => {
    expectSentence(await runCli(['score', clip, ...options], { cwd: stack.folder }), sentence);
  });

  test('an output in a folder that does not exist', async () => {
    expectSentence(
      await score([clip, '--out', 'no/such/out.mp4']),
      /no\/such does not exist; create it or name another file with --out\./,
    );
  });

  test('an output that cannot be written', async () => {
    expectSentence(await score([clip, '--out', '/proc/out.mp4']), /\/proc\/out\.mp4 cannot be written .*--out\./);
  });

  test('an output or a contact sheet that would replace the video', async () => {
    expectSentence(await score([clip, '--out', clip]), /clip\.mp4 is read by the job; name another file with --out\./);
    symlinkSync(clip, file('link.mp4'));
    expectSentence(await score([clip, '--contact-sheet', 'link.mp4']), /is read by the job; .+ --contact-sheet\./);
  });

  test('a contact sheet that would replace the output', async () => {
    const both = ['--out', 'both.mp4', '--contact-sheet', 'both.mp4'];
    expectSentence(await score([clip, ...both]), /both\.mp4 is named twice; name another file with --contact-sheet\./);
  });

  test.each<[string[], RegExp]>([
    [['--out', 'earlier.mp4'], /earlier\.mp4 exists already; name another file with --out, or add --overwrite\.$/],
    [[], /clip-starry-night\.mkv exists already; name another file with --out, or add --overwrite\.$/],
    [['--out', 'new.mp4', '--contact-sheet', 'sheet.png'], /sheet\.png exists already; .+ --contact-sheet, or add/],
  ])('to replace a file of an earlier run: %j', async (options, sentence) => {
    for (const name of ['earlier.mp4', 'clip-starry-night.mkv', 'sheet.png']) writeFileSync(file(name), 'precious');
    expectSentence(await score([clip, ...options]), sentence);
    for (const name of ['earlier.mp4', 'clip-starry-night.mkv', 'sheet.png'])
      expect(readFileSync(file(name), 'utf8')).toBe('precious');
    rmSync(file('clip-starry-night.mkv'));
  });

  test.each([
    ['one that is not empty', 'outputs', /outputs is not empty; name another folder with --out, or add --overwrite\.$/],
    ['one that holds the images', '.', /holds the folder of the images; name another one with --out\.$/],
  ])('to put the outputs of a folder into %s', async (_, out, sentence) => {
    for (const folder of ['pictures', 'outputs']) {
      mkdirSync(file(folder), { recursive: true });
      writeFileSync(file(`${folder}/a.png`), 'precious');
    }
    expectSentence(await score(['pictures', '--out', out]), sentence);
  });
});

describe.concurrent('score passes on the sentence with which a job refuses', () => {
  test('a text file named .mp4', async () => {
    writeFileSync(file('text.mp4'), 'this is no video at all\n');
    expectSentence(await score(['text.mp4']), new RegExp(`^${file('text.mp4')} `));
  });

  test('an unknown model name', async () => {
    expectSentence(
      await score([clip, '--model', 'rain-princess']),
      /^There is no model "rain-princess"; upload its \.onnx file first, or use "starry-night"/,
    );
  });

  test('a web page named .onnx', async () => {
    writeFileSync(file('web-page.onnx'), '<!doctype html><html><body>Not found</body></html>');
    expectSentence(await score([clip, '--model', 'web-page.onnx']), /web-page/);
  });

  test('a style picture for a model without a style input', async () => {
    writeFileSync(file('style.jpg'), 'whatever');
    expectSentence(
      await score([clip, '--style', 'style.jpg', '--out', 'styled.mp4']),
      /"starry-night" has no style input; leave the property "style" out\./,
    );
  });

  test('a model card with an unknown property', async () => {
    writeFileSync(file('card.json'), '{"inptu":{}}');
    expectSentence(
      await score([clip, '--model', path.resolve('models/starry-night.onnx'), '--card', 'card.json']),
      /unknown property "inptu"/,
    );
  });
});

describe.skipIf(!hasSharedData).concurrent('of the broken files in ../shared/data, a job refuses', () => {
  test('audio-only.mp4', async () => {
    expectSentence(await score([sharedData('bad/audio-only.mp4')]), /audio-only\.mp4/);
  });

  test('unknown-op-Debug-squeezenet_fp16.onnx', async () => {
    expectSentence(await score([clip, '--model', sharedData('bad/unknown-op-Debug-squeezenet_fp16.onnx')]), /model/);
  });

  test('an empty model', async () => {
    expectSentence(await score([clip, '--model', sharedData('bad/empty.onnx')]), /empty\.onnx is empty/);
  });

  test('a video of a model that gives no pictures', async () => {
    const model = sharedData('models/classify/SqueezeNet_fp16.onnx');
    const card = path.resolve('test/cards/SqueezeNet_fp16.json');
    expectSentence(
      await score([clip, '--model', model, '--card', card, '--out', 'classes.mp4']),
      /gives classes and no pictures; set "output\.draw" \(--draw\) .+ \(--out FOLDER\)/,
    );
  });

  test('a format of pictures for a model that gives none', async () => {
    const model = sharedData('models/classify/SqueezeNet_fp16.onnx');
    const card = path.resolve('test/cards/SqueezeNet_fp16.json');
    mkdirSync(file('format'), { recursive: true });
    writeFileSync(file('format/a.png'), 'whatever');
    expectSentence(
      await score(['format', '--model', model, '--card', card, '--frame-format', 'jpg']),
      /gives no pictures; leave the format "jpg" \(output\.frameFormat\) out\./,
    );
  });

  test('a model with a style input, without a style picture', async () => {
    expectSentence(
      await score([clip, '--model', sharedData('models/arbitrary/microast_dyn.onnx')]),
      /has a style input \("style"\); name a picture \(style, --style of the command line\)\./,
    );
  });
});

describe('the command line', () => {
  test('tells its version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await runCli(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test.each([
    [['score', 'a.mp4', '--max-parallel', 'many'], /whole number from 1 to 100/],
    [['score', 'a.mp4', '--max-paralel', '2'], /^Unknown option '--max-paralel'\. Did you mean --max-parallel\?\n$/],
    [['score'], /^Name a video or a folder of images/],
  ])('refuses %j with exit code 2', async (args, sentence) => {
    const { code, stderr, stdout } = await runCli(args);
    expect(stderr).toMatch(sentence);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  test.each([[[]], [['--model', 'models/starry-night.onnx']]])(
    'names the app that does not answer, and exits with 1 (%j)',
    async (more) => {
      const { code, stderr } = await runCli(['score', clip, '--url', 'http://127.0.0.1:9', ...more]);
      expect(stderr.trim()).toBe('No answer from http://127.0.0.1:9; check the address and that the app runs.');
      expect(code).toBe(1);
    },
  );

  test.each([
    ['--azurite-port', 'Azurite (blob storage)'],
    ['--port', 'the local Functions host'],
  ])('names the port asked for with %s when it is in use', async (option, who) => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const result = await runCli(['start', option, String(port), '--data', file('other')]);
    expect(result.stderr.trim()).toBe(
      `Port ${port}, asked for with ${option}, is in use, so ${who} cannot start; end the program that uses it or name another port.`,
    );
    expect(result.code).toBe(2);
  });

  test.each([
    [['start', '--data', '/proc/data']],
    [['score', 'clip.mp4', '--data', '/proc/data']],
    [['score', 'clip.mp4', '--data', 'clip.mp4']],
  ])('refuses %j, because the data folder cannot be made', async (args) => {
    expectSentence(
      await runCli(args, { cwd: stack.folder }),
      /^The folder \S+ for the local stack's data cannot be written \(.+\); name another one with --data\.$/,
    );
  });

  test('does not start a second stack on the same data', async () => {
    const { code, stderr } = await runCli(['start', '--data', stack.data]);
    expect(stderr).toContain(`The local stack runs already at ${stack.url}`);
    expect(code).toBe(2);
  });
});
