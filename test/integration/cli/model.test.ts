import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { completeCard } from '../../../src/model-card/complete-card.js';
import { parseCard, type PartialCard } from '../../../src/model-card/schema.js';
import { checkModelFiles, filesOfModel } from '../../../src/cli/score/user-files.js';
import type { Preview } from '../../../src/cli/score/preview.js';
import { inspect, join } from '../../../src/cli/commands/model.js';
import { createModelInspector, type ModelInspector } from '../../../src/scorer/engine/inspect/inspect.js';
import { operatorNode } from '../../../src/scorer/onnx/model-messages.js';
import { externalTensor, modelFile, tensorInfo, tinyModel } from '../../support/scorer/tiny-model.js';
import { runCli } from '../../support/cli.js';
import { hasSharedData, sharedData } from '../../support/shared-data.js';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const inspectOnce = createModelInspector({}, path.join(ROOT, 'dist/scorer/engine/inspect/inspect-main.js'));
const signatures = new Map<string, ReturnType<ModelInspector>>();

/** Loads each model once: loading takes longer than all else here. */
const inspectModel: ModelInspector = (file, name) => {
  const signature = signatures.get(file) ?? inspectOnce(file, name);
  signatures.set(file, signature);
  return signature;
};

const folder = mkdtempSync(path.join(os.tmpdir(), 'model-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('model inspect', () => {
  test('writes a card that scores, and names what the model does not say', async () => {
    const out = path.join(folder, 'starry.json');
    const args = ['model', 'inspect', path.join(ROOT, 'models/starry-night.onnx'), '--out', out];
    const { code, stdout, stderr } = await runCli(args);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toMatch(/^The model does not say:\n(- .*\n){3}$/);
    expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({ input: { name: 'image', range: [0, 255] } });
    expect(await runCli(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('exists already') });
  });

  test.each(['nowhere.onnx', 'package.json'])('refuses %s with one sentence', async (file) => {
    const { code, stdout, stderr } = await runCli(['model', 'inspect', path.join(ROOT, file)]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^(There is no|The) model .*\.\n$/);
  });
});

/** The answers of a person who knows the model to what its draft asks, and nothing else. */
const ANSWERS: [model: string, card: string, answers: PartialCard][] = [
  [
    'arbitrary/microast_dyn',
    'microast_dyn',
    {
      input: { range: [0, 1], size: { multipleOf: 4 } },
      style: { name: 'style', size: { longestSide: 256, multipleOf: 4 } },
    },
  ],
  [
    'classify/SqueezeNet_fp16',
    'SqueezeNet_fp16',
    { input: { channels: 'BGR', mean: [104, 117, 123] }, output: { kind: 'classes', top: 3 } },
  ],
  [
    'classify/mnist',
    'mnist',
    {
      output: {
        kind: 'classes',
        top: 2,
        labels: ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'],
      },
    },
  ],
  ['derived/mosaic_nc8_u8_nhwc', 'mosaic_nc8_u8_nhwc', { input: { size: { minimum: 8 } } }],
  ['derived/udnie_fp16w_fp32io', 'udnie_fp16w_fp32io', { input: { size: { multipleOf: 4, minimum: 16 } } }],
  [
    'detect/ultraface_version-RFB-320',
    'ultraface',
    {
      input: { mean: [127], std: [128] },
      output: { kind: 'detections', background: [0], threshold: 0.7, overlap: 0.3, labels: ['background', 'face'] },
    },
  ],
  ['gnsmrky/mosaic_nc8_256x256', 'mosaic_nc8_256x256', {}],
  ['gnsmrky_dynamic/mosaic_nc8_dyn', 'mosaic_nc8_dyn', { input: { size: { minimum: 8 } } }],
  ['gnsmrky_dynamic/udnie_nc8_dyn', 'udnie_nc8_dyn', { input: { size: { minimum: 8 } } }],
  ['lengstrom_converted/wave_nhwc', 'wave_nhwc', { input: { size: { multipleOf: 4, minimum: 16 } } }],
  ['misc/Add_ImageNet224', 'Add_ImageNet224', { constants: { input_12_0: [20] } }],
  ['superres/super_resolution', 'super_resolution', { input: { channels: 'Y', range: [0, 1] } }],
  ['winml/candy', 'candy', {}],
  ['winml/mosaic', 'winml_mosaic', {}],
];

describe.skipIf(!hasSharedData).concurrent('the draft of a real model (needs ../shared/data)', () => {
  test.each(ANSWERS)(
    '%s, completed with what it asked for, is the card that is known to be right',
    async (model, card, answers) => {
      const file = sharedData(`models/${model}.onnx`);
      const { card: draft } = await inspect(file, undefined, inspectModel);
      const { input, output, ...rest } = answers;
      const completed = {
        ...draft,
        ...rest,
        input: { ...draft.input, ...input, size: { ...draft.input?.size, ...input?.size } },
        output: { ...draft.output, ...output },
      };
      const right = parseCard(readFileSync(path.join(ROOT, `test/cards/${card}.json`), 'utf8'));
      const signature = await inspectModel(file, model);
      expect(normal(completeCard(completed, signature))).toEqual(normal(completeCard(right, signature)));
    },
  );

  test('is refused in one sentence for a web page', async () => {
    await expect(inspect(sharedData('bad/html-page-saved-as.onnx'), undefined, inspectModel)).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringMatching(/^The model .*web page.*\.$/),
    });
  });
});

/** Without what changes no pixel: the description, that pictures come out where that is the default, and that a range is assumed. */
function normal(card: ReturnType<typeof completeCard>): object {
  const { kind = 'image', assumed: _assumed, ...output } = { assumed: undefined, ...card.output };
  return { ...card, description: '', output: { kind, ...output } };
}

describe('a model with its weights in other files', () => {
  const place = (name: string, files: Record<string, Buffer>) => {
    const own = mkdtempSync(path.join(folder, 'parts-'));
    for (const [file, bytes] of Object.entries(files)) writeFileSync(path.join(own, file), bytes);
    return path.join(own, name);
  };
  const values = Buffer.from(Float32Array.of(100, 20, 30).buffer);
  const model = (location: string) =>
    modelFile({
      initializer: [externalTensor('c', { location, offset: '4', length: '8' }, [1, 1, 1, 2])],
      node: [operatorNode('Add', ['x', 'c'], 'y')],
      input: [tensorInfo('x', [1, 3, 4, 2])],
      output: [tensorInfo('y', [1, 3, 4, 2])],
    });

  test('may say that the file is in its own folder', async () => {
    const file = place('m.onnx', { 'm.onnx': model('./weights'), weights: values });
    const out = path.join(path.dirname(file), 'one.onnx');
    await join(file, out);
    expect(await inspectOnce(out, 'one')).toMatchObject({ inputs: [{ name: 'x' }] });
  });

  test('is looked into and joined like any other', async () => {
    const file = place('m.onnx', { 'm.onnx': model('my weights.bin'), 'my weights.bin': values });
    expect((await inspect(file, undefined, inspectOnce)).card.output).toMatchObject({ kind: 'image', name: 'y' });
    const out = path.join(path.dirname(file), 'one.onnx');
    expect(await join(file, out)).toEqual(['my weights.bin']);
    expect(await inspectOnce(out, 'one')).toMatchObject({ inputs: [{ name: 'x' }] });
    await expect(join(out, `${out}2`)).rejects.toThrow(/holds all of its weights/);
    await expect(inspectOnce(file, 'm')).rejects.toThrow(/in other files \("my weights\.bin"\): join them with/);
  });

  test.each([
    ['./../secret', /only files in its own folder are read/],
    ['../secret', /only files in its own folder are read/],
    ['sub/weights', /only files in its own folder are read/],
    ['/etc/hostname', /only files in its own folder are read/],
    ['..\\secret', /only files in its own folder are read/],
    ['gone.data', /in gone\.data, which is not beside it; copy or download/],
  ])('does not read %s', async (location, says) => {
    await expect(checkModelFiles({ model: place('m.onnx', { 'm.onnx': model(location) }) })).rejects.toThrow(says);
  });

  test('that is too large is refused with its size', async () => {
    const file = place('m.onnx', { 'm.onnx': model('huge'), huge: values });
    truncateSync(path.join(path.dirname(file), 'huge'), 2 ** 31);
    await expect(checkModelFiles({ model: file })).rejects.toThrow(/2\.0 GiB.*do not run/);
  });
});

describe('the files of a model', () => {
  const write = (name: string, text: string) => {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    return file;
  };

  test('are the card next to it and the label file that the card names', async () => {
    const model = write('digits.onnx', 'x');
    expect(await filesOfModel({ model })).toEqual({ card: undefined, labels: undefined });
    const card = write('digits.json', '{"output": {"kind": "classes", "labels": "digits.txt"}}');
    await expect(filesOfModel({ model })).rejects.toThrow(/There is no label file .*digits\.txt; check the path\./);
    const labels = write('digits.txt', 'zero\none\n');
    expect(await filesOfModel({ model })).toEqual({ card, labels });
    const other = write('other.txt', 'null\neins\n');
    expect(await filesOfModel({ model, labels: other })).toEqual({ card, labels: other });
  });
});

describe('models try', () => {
  const picture = path.join(folder, 'a b.png');
  const model = path.join(folder, 'same.onnx');
  const runTry = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli(['models', 'try', ...args, '--device', 'cpu'], { cwd: folder });
    return { code, stdout, stderr };
  };

  test('writes what the model makes of a picture, and says what was assumed', async () => {
    const pixels = { create: { width: 16, height: 8, channels: 3, background: '#4080c0' } } as const;
    await sharp(pixels).png().toFile(picture);
    writeFileSync(model, tinyModel({ operator: 'Identity', shape: ['batch', 3, 'height', 'width'] }));
    const { stdout, stderr } = await runTry(model, picture, '--json');
    expect(stderr).toBe('');
    const out = path.join(folder, 'a b-same.png');
    expect(JSON.parse(stdout)).toMatchObject({ output: out, gives: 'image', device: 'cpu', inputs: [{ name: 'x' }] });
    expect((JSON.parse(stdout) as { assumed: string[] }).assumed.join()).toMatch(/range/);
    const [scored, own] = await Promise.all([out, picture].map((file) => sharp(file).removeAlpha().raw().toBuffer()));
    expect(scored).toEqual(own);
    // It is there now, and is not replaced.
    expect(await runTry(model, picture)).toMatchObject({ code: 2, stderr: expect.stringContaining('--overwrite') });
  });

  test('ONNX Runtime reports nothing home: it leaves no number of this machine, and no file beside the pictures', async () => {
    const [home, here] = ['home', 'here'].map((name) => mkdtempSync(path.join(folder, name)));
    // On a machine that says it is there for tests, it is silent anyway.
    const env = {
      HOME: home,
      XDG_CACHE_HOME: undefined,
      CI: undefined,
      GITHUB_ACTIONS: undefined,
      TF_BUILD: undefined,
    };
    const args = ['models', 'try', model, picture, '--device', 'cpu', '--out', path.join(folder, 'silent.png')];
    expect(await runCli(args, { cwd: here, env })).toMatchObject({ code: 0, stderr: '' });
    expect([home, here].map((each) => readdirSync(each ?? ''))).toEqual([[], []]);
  });

  test('refuses a file for another kind of output and what is no picture', async () => {
    const [other, none] = await Promise.all([runTry(model, picture, '--out', 'x.json'), runTry(model, model)]);
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('must end in .png') });
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot be scored') });
  });

  test('score --preview writes a contact sheet of some pictures and nothing else', async () => {
    const images = path.join(folder, 'images');
    mkdirSync(images);
    for (const name of ["a'1.png", 'b.png', 'c.png', '.d.png']) copyFileSync(picture, path.join(images, name));
    const { code, stdout } = await runCli(['score', images, '--model', model, '--preview', '2', '--json'], {
      cwd: folder,
    });
    expect(code).toBe(0);
    const sheet = path.join(folder, 'images-same.preview.png');
    expect(JSON.parse(stdout)).toMatchObject({ contactSheet: sheet, previewed: 2, items: 3 });
    expect((JSON.parse(stdout) as Preview).warnings).toContainEqual(expect.stringMatching(/^1 hidden picture is left/));
    expect(await sharp(sheet).metadata()).toMatchObject({ format: 'png' });
    expect(readdirSync(images)).toHaveLength(4);
  });

  test('models lists what comes with the app and the files that are named, without a stack', async () => {
    const { stdout } = await runCli(['models', 'list', folder, '--data', path.join(folder, 'none'), '--json']);
    const { models } = JSON.parse(stdout) as { models: { name: string; bundled: boolean }[] };
    expect(models).toContainEqual(expect.objectContaining({ name: 'starry-night', bundled: true, gives: 'image' }));
    expect(models).toContainEqual(expect.objectContaining({ name: model, bundled: false, gives: null }));
  });
});
