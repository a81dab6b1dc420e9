import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { LeftOut } from '../../../src/job/items/left-out.js';
import { downloadFolder, uploadFolder } from '../../../src/cli/client/folders.js';
import type { FolderSummary } from '../../../src/cli/score/score-folder.js';
import { checkManifest } from '../../support/manifest.js';
import { paint } from '../../support/scorer/pictures.js';
import { scoringModel, tinyModel } from '../../support/scorer/tiny-model.js';
import { runCli } from '../../support/cli.js';
import { tools } from '../../support/clip.js';
import { thumbnailOf } from '../../support/thumbnail.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();
const file = (...parts: string[]) => path.join(stack.folder, ...parts);

/** Encodes 24 by 16 pixels, different for each seed. */
const picture = (seed: number) => sharp(paint(24, 16, seed).data, { raw: { width: 24, height: 16, channels: 3 } });
const pixels = (bytes: Buffer) => sharp(bytes).flatten().raw().toBuffer();

function bmp(seed: number): Buffer {
  const raw = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', '24x16', '-i', 'pipe:0'];
  const output = ['-pix_fmt', 'bgr24', '-c:v', 'bmp', '-f', 'image2pipe', 'pipe:1'];
  return execFileSync(tools.ffmpeg, ['-loglevel', 'error', ...raw, ...output], { input: paint(24, 16, seed).data });
}

/** A folder with every kind of picture, wrong endings, two names of one stem, a text that claims to be a picture. */
async function makeFolder(folder: string): Promise<Record<string, Buffer>> {
  const files: Record<string, Buffer> = {
    'a.jpg': await picture(1).jpeg().toBuffer(),
    'a.png': await picture(2).png().toBuffer(),
    'nested/b.webp': await picture(3).webp().toBuffer(),
    'nested/deep/c.AVIF': await picture(4).avif().toBuffer(),
    'nested/d.tif': await picture(5).tiff().toBuffer(),
    'e #1 100%.gif': await picture(6).gif().toBuffer(),
    'f.bmp': bmp(7),
    'g.jpg': await picture(8).png().toBuffer(),
    'no-ending': await picture(9).jpeg().toBuffer(),
  };
  mkdirSync(path.join(folder, 'nested/deep'), { recursive: true });
  for (const [name, bytes] of Object.entries({ ...files, 'broken.jpg': Buffer.from('no picture'), 'notes.txt': '' }))
    writeFileSync(path.join(folder, name), bytes);
  return files;
}

/** A network that gives back what it gets. */
const identity = (name: string, shape: (number | string)[], card: object) =>
  store(name, tinyModel({ operator: 'Identity', shape }), card);

function store(name: string, network: Buffer, card: object): string {
  writeFileSync(file(`${name}.onnx`), network);
  writeFileSync(file(`${name}.json`), JSON.stringify(card));
  return file(`${name}.onnx`);
}

const readManifest = async (id: string) => {
  await stack.client.download(id, 'manifest', file(`${id}.json`));
  return checkManifest(await readFile(file(`${id}.json`)));
};

describe('a folder of all kinds of pictures', () => {
  const folder = file('all-kinds');
  let sources: Record<string, Buffer> = {};
  let images = '';
  let pass = '';

  beforeAll(async () => {
    sources = await makeFolder(folder);
    images = await uploadFolder(stack.client, folder, '', new LeftOut());
    pass = await stack.client.upload('model', identity('pass', [1, 3, 'h', 'w'], {}), { card: file('pass.json') });
  });

  test('comes back under the same names, each picture as the model makes it of its source', async () => {
    const id = await stack.client.start({
      input: { images },
      model: pass,
      tolerate: { failedItems: 1 },
      batch: { size: 5 },
    });
    expect(id).toMatch(/^all-kinds-/);
    const delivered = stack.storage.getContainerClient('outbox').listBlobsFlat({ prefix: `${id}/`, includeCopy: true });
    const status = await stack.ended(id);
    for await (const { properties } of delivered) expect(JSON.stringify(properties)).not.toMatch(/sig=/);
    expect(status).toMatchObject({
      state: 'done',
      items: { total: 10, done: 9, failed: 1 },
      batches: { total: 2, done: 2 },
      output: `outbox/${id}/`,
    });
    expect(Object.keys(status.stages)).toEqual(['prepare', 'list', 'score', 'collect', 'finish']);

    await stack.storage.getContainerClient('outbox').uploadBlockBlob(`${id}/other.png`, 'of no job', 9);
    await downloadFolder(stack.client, id, file('painted'));
    expect(readdirSync(file('painted'))).not.toContain('other.png');
    const renamed: Record<string, string> = { 'a.png': 'a.png.png' };
    for (const [name, bytes] of Object.entries(sources)) {
      const output = renamed[name] ?? `${name.replace(/\.[^.]*$/, '')}.png`;
      const expected = name === 'f.bmp' ? Buffer.from(paint(24, 16, 7).data) : await pixels(bytes);
      const found = await pixels(readFileSync(file('painted', output)));
      expect(found.equals(expected), name).toBe(true);
    }
    const small = await thumbnailOf(stack, id);
    expect(await sharp(small?.bytes).metadata()).toMatchObject({ format: 'jpeg', width: 24, height: 16 });
    const { totals, failedItems, outputs, resolved } = await readManifest(id);
    expect(totals).toEqual({ done: 9, failed: 1, givenUp: 0, neverReached: 0, attempts: 2 });
    const reason = 'the picture cannot be read: it is no JPEG, PNG, WebP, AVIF, TIFF, BMP or GIF';
    expect(failedItems).toEqual([
      { name: 'broken.jpg', reason, blame: 'item', batch: 0, attempt: 1, output: 'broken.png' },
    ]);
    expect(status.warnings).toEqual([
      `1 of 10 images could not be scored and has no output, as the job tolerates (broken.jpg: ${reason}).`,
    ]);
    const sum = createHash('sha256')
      .update(readFileSync(file('pass.onnx')))
      .digest('hex');
    expect(resolved?.sha256).toMatchObject({ model: sum });
    const bytes = Object.keys(sources).reduce((all, name) => {
      const output = renamed[name] ?? `${name.replace(/\.[^.]*$/, '')}.png`;
      return all + readFileSync(file('painted', output)).length;
    }, 0);
    const whole = { path: `outbox/${id}/`, files: 9, bytes, list: 'output-files.jsonl' };
    expect(outputs).toEqual({ files: [], folder: whole });
    await stack.client.download(id, 'failed-items', file(`${id}.jsonl`));
    expect(JSON.parse(readFileSync(file(`${id}.jsonl`), 'utf8'))).toEqual(failedItems[0]);
  });

  test('fails with the name and the reason of a broken picture that is not tolerated', async () => {
    const status = await stack.ended(await stack.client.start({ input: { images }, model: pass }));
    expect(status.state).toBe('failed');
    expect(status.error?.message).toMatch(
      /^1 item could not be scored and tolerate\.failedItems is 0 \(broken\.jpg: the picture cannot be read: .+\)\.$/,
    );
  });

  test.each([
    ['tensor', 'npz', 'K', 'item,file,member'],
    ['mask', 'png', 'PNG', 'item,file'],
  ])(
    'becomes files named where the job says and lines that name them, for a model that gives a %s',
    async (kind, ending, magic, header) => {
      const output = kind === 'mask' ? { kind, method: 'argmax' } : { kind };
      const network = identity(kind, [1, 3, 4, 4], { output });
      const model = await stack.client.upload('model', network, { card: file(`${kind}.json`) });
      const place = `outbox/${kind}s`;
      const spec = { input: { images }, model, output: { images: place }, tolerate: { failedItems: 1 } };
      const id = await stack.client.start(spec);
      expect(await stack.ended(id)).toMatchObject({ state: 'done', output: `${place}/` });
      expect(await downloadFolder(stack.client, id, file(kind))).toBe(true);
      const lines = readFileSync(file(kind, 'predictions.jsonl'), 'utf8').trim().split('\n');
      expect(lines).toHaveLength(9);
      for (const line of lines) {
        const prediction = JSON.parse(line) as { item: string; file: string };
        expect(Object.keys(sources)).toContain(prediction.item);
        expect(prediction.file.endsWith(`.${ending}`)).toBe(true);
        expect(readFileSync(file(kind, prediction.file)).toString('latin1', 1, 1 + magic.length)).toBe(magic);
      }
      const csv = readFileSync(file(kind, 'predictions.csv'), 'utf8').trim().split('\r\n');
      expect([csv[0], csv.length]).toEqual([header, 10]);
    },
  );
});

test('the command line takes a folder to predictions, tells how it went and names what failed, until a run without failures', async () => {
  const folder = file('photos');
  const sources = await makeFolder(folder);
  const labels = Array.from({ length: 48 }, (_, index) => `class, number ${index}`);
  const model = store('values', scoringModel([1, 3, 4, 4]), { output: { kind: 'classes', top: 2, labels } });
  const { code, stdout, stderr } = await runCli(
    ['score', 'photos', '--model', model, '--tolerate', '1', '--json', '--data', stack.data],
    { cwd: stack.folder },
  );
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const out = file('photos-values');
  const summary = JSON.parse(stdout) as FolderSummary;
  expect(summary).toMatchObject({
    output: out,
    predictions: { jsonl: path.join(out, 'predictions.jsonl'), csv: path.join(out, 'predictions.csv') },
    images: 10,
    failed: [{ name: 'broken.jpg' }],
    batches: 1,
    warnings: expect.arrayContaining([expect.stringMatching(/^Scores .+ are no probabilities: .+"softmax": true/)]),
  });
  const predictions = readFileSync(path.join(out, 'predictions.jsonl'), 'utf8').trim().split('\n');
  const items = predictions.map((line) => (JSON.parse(line) as { item: string }).item);
  expect(items).toEqual(Object.keys(sources).toSorted());
  const csv = readFileSync(path.join(out, 'predictions.csv'), 'utf8').trim().split('\r\n');
  expect(csv).toHaveLength(1 + 2 * items.length);
  expect(csv[0]).toBe('item,rank,index,label,score');

  const again = await runCli(
    ['score', 'nested', '--model', model, '--out', out, '--overwrite', '--json', '--data', stack.data],
    { cwd: folder },
  );
  expect(again).toMatchObject({ code: 0, stderr: '' });
  expect(readdirSync(out).toSorted(), 'what an earlier run has said of failures').toEqual([
    'predictions.csv',
    'predictions.jsonl',
  ]);
});

test('a folder that another machine sent is saved as one, with what failed by name, and in no folder that has something', async () => {
  const folder = file('elsewhere');
  await makeFolder(folder);
  const images = await uploadFolder(stack.client, folder, '', new LeftOut());
  const network = store('sums', scoringModel([1, 3, 4, 4]), { output: { kind: 'classes' } });
  const model = await stack.client.upload('model', network, { card: file('sums.json') });
  const id = await stack.client.start({ input: { images }, model, tolerate: { failedItems: 1 } });
  await stack.ended(id);
  const save = () =>
    runCli(['score', '--redrive', id, '--out', 'got', '--json', '--data', stack.data], { cwd: stack.folder });
  const { code, stdout, stderr } = await save();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ images: 10, failedImages: 1, failed: [{ name: 'broken.jpg' }] });
  expect(readdirSync(file('got')).toSorted()).toEqual([
    'failed-items.jsonl',
    'manifest.json',
    'predictions.csv',
    'predictions.jsonl',
  ]);
  expect(await save()).toMatchObject({ code: 2, stderr: expect.stringContaining('got is not empty') });
});

test('what an earlier run made of an image that fails now is removed from the folder with a word, and nothing else', async () => {
  const [folder, out] = [file('twice'), file('twice-out')];
  mkdirSync(path.join(folder, 'in'), { recursive: true });
  for (const name of ['a.png', 'in/b.jpg', 'c.png'])
    writeFileSync(path.join(folder, name), await picture(1).png().toBuffer());
  const model = identity('again', [1, 3, 'h', 'w'], {});
  const run = (...more: string[]) =>
    runCli(['score', folder, '--model', model, '--out', out, '--json', '--data', stack.data, ...more], {
      cwd: stack.folder,
    });
  expect(await run()).toMatchObject({ code: 0 });
  for (const name of ['in/b.jpg', 'own.png', 'notes.txt']) writeFileSync(path.join(out, name), 'of the user');
  writeFileSync(path.join(folder, 'in/b.jpg'), 'no picture');
  writeFileSync(path.join(folder, 'own.txt.png'), 'no picture');
  const { code, stdout } = await run('--overwrite', '--tolerate', '2');
  expect(code).toBe(0);
  expect((JSON.parse(stdout) as FolderSummary).warnings).toContain(
    '1 file of an earlier run is removed, as its image failed this time (in/b.png).',
  );
  expect(readdirSync(out, { recursive: true }).map(String).toSorted()).toEqual([
    'a.png',
    'c.png',
    'failed-items.jsonl',
    'in',
    'in/b.jpg',
    'manifest.json',
    'notes.txt',
    'own.png',
  ]);
});
