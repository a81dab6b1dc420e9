import type { ContainerClient } from '@azure/storage-blob';
import pMap from 'p-map';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { createCollectItems } from '../../../src/activities/images/collect-items.js';
import os from 'node:os';
import { createMedia } from '../../../src/media/media.js';
import { tools } from '../../support/clip.js';
import { createCollectPredictions } from '../../../src/activities/images/collect-predictions.js';
import { takeNewVersions } from '../../../src/job-store/images/listed-pictures.js';
import { readItems, readListed } from '../../../src/job-store/images/items.js';
import { createFindLost } from '../../../src/activities/videos/find-lost.js';
import { createListImages } from '../../../src/activities/images/list-images.js';
import { readImagesJob } from '../../../src/job-store/resolved-job.js';
import { parseSpec } from '../../../src/job/spec.js';
import { scoredPart } from '../../../src/container-contract/places.js';
import { FAILED_ITEMS, itemListBlob, jobOf, RESOLVED_JOB, workOf } from '../../../src/job-store/layout.js';
import { readText, type Storage, writeJson } from '../../../src/storage/storage.js';
import { openAzurite } from '../../support/storage.js';
import { giveUpItems } from '../../support/video-job.js';

let storage: Storage;
let inbox: ContainerClient;
let outbox: ContainerClient;

beforeAll(async () => {
  const connection = inject('storage');
  storage = openAzurite(connection);
  const { media } = storage;
  inbox = media.getContainerClient('inbox');
  outbox = media.getContainerClient('outbox');
  await Promise.all([inbox.createIfNotExists(), outbox.createIfNotExists()]);
});

const put = (container: ContainerClient, name: string, text: string | Buffer) =>
  container.getBlockBlobClient(name).uploadData(Buffer.from(text));
const putAll = (container: ContainerClient, blobs: [string, string][]) =>
  pMap(blobs, ([name, text]) => put(container, name, text), { concurrency: 32 });

/** A job that `prepareJob` has resolved; `output` is what its model gives. */
async function prepare(
  jobId: string,
  output: object,
  more: { list?: unknown; tolerate?: object; overwrite?: boolean } = {},
): Promise<void> {
  await Promise.all([jobOf(storage, jobId).create(), workOf(storage, jobId).create()]);
  const images = `inbox/${jobId}/`;
  const { list, tolerate, overwrite } = more;
  const spec = parseSpec(JSON.stringify({ input: { images, list }, model: 'm', tolerate, output: { overwrite } }));
  await writeJson(jobOf(storage, jobId), RESOLVED_JOB, {
    pack: 1,
    jobId,
    spec,
    images,
    output: `outbox/${jobId}/`,
    card: { output },
  });
}

test('pictures that have no output yet are scored as they are when their job starts once more', async () => {
  const jobId = 'mended-abcd2345';
  await prepare(jobId, {});
  const all: [string, string][] = ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'].map((name) => [`${jobId}/${name}`, 'x']);
  await putAll(inbox, all);
  await createListImages({ storage })({ jobId });
  const job = await readImagesJob(storage, jobId);
  const versions = async () => (await readItems(storage, job, 0, 4)).map(({ etag }) => etag);
  const before = await versions();
  await put(workOf(storage, jobId), scoredPart({ first: 0, last: 0 }, 1, 'png'), 'x');
  await putAll(inbox, all.slice(0, 2));
  await inbox.getBlobClient(`${jobId}/d.jpg`).delete();
  await takeNewVersions(storage, job);
  const b = await inbox.getBlobClient(`${jobId}/b.jpg`).getProperties();
  expect(await versions()).toEqual([before[0], b.etag?.replaceAll('"', ''), before[2], before[3]]);
});

describe('a list of images', () => {
  const folder = 'inbox/listed-abcd2345/';
  const listed = async (jobId: string, list: unknown, tolerate: object = {}) => {
    await prepare(jobId, {}, { list, tolerate });
    await putAll(
      inbox,
      ['c.jpg', 'a.png', 'a.jpg', 'other.jpg'].map((name) => [`${jobId}/${name}`, 'x']),
    );
    return createListImages({ storage })({ jobId });
  };

  test('says which are scored, in which order, each once', async () => {
    await put(inbox, 'lists/some.txt', 'c.jpg\na.png\nc.jpg\na.jpg\n');
    const jobId = 'listed-abcd2345';
    expect(await listed(jobId, 'inbox/lists/some.txt')).toEqual({
      items: 3,
      warnings: ['1 line of the list names an image that came before; each is scored once.'],
    });
    const job = await readImagesJob(storage, jobId);
    const items = await readListed(storage, job, 0, 3);
    expect(items.map(({ name, output }) => [name, output])).toEqual([
      ['c.jpg', 'c'],
      ['a.png', 'a'],
      ['a.jpg', 'a.jpg'],
    ]);
    expect((await readItems(storage, job, 0, 1))[0]).toMatchObject({
      input: `${folder.slice('inbox/'.length)}c.jpg`,
      etag: expect.stringMatching(/^0x/) as string,
    });
  });

  test('may be what another job has failed to score; what is not there fails by its name, as far as that is tolerated', async () => {
    const failed = 'failed-abcd2345';
    await jobOf(storage, failed).create();
    await put(
      jobOf(storage, failed),
      FAILED_ITEMS,
      '{"name":"gone.jpg","reason":"x"}\n{"name":"a.jpg","reason":"x"}\n',
    );
    await expect(listed('strict-abcd2345', { failedItemsOf: failed })).rejects.toMatchObject({
      blame: 'user',
      message:
        '1 of 2 images in the list is not below inbox/strict-abcd2345/ (gone.jpg); correct the list, or tolerate them.',
    });
    expect(await listed('lenient-abcd2345', { failedItemsOf: failed }, { failedItems: 1 })).toEqual({
      items: 2,
      warnings: [],
    });
  });

  test('that leaves its folder, names nothing or is not there is refused', async () => {
    await put(inbox, 'lists/out.txt', '../secret.jpg\n');
    await put(inbox, 'lists/empty.txt', '\n');
    await expect(listed('out-abcd2345', 'inbox/lists/out.txt')).rejects.toThrow(
      /^Line 1 of the list inbox\/lists\/out/,
    );
    await expect(listed('empty-abcd2345', 'inbox/lists/empty.txt')).rejects.toThrow('names no image');
    await expect(listed('lost-abcd2345', 'inbox/lists/lost.txt')).rejects.toThrow(
      'There is no list inbox/lists/lost.txt',
    );
  });
});

describe('a folder of all sorts', () => {
  const jobId = 'sorts-abcd2345';
  const png = Buffer.from('89504e470d0a1a0a', 'hex');
  const names = ['Z.JPG', 'a.jpg', 'a.png', 'nested/deep/x y.webp', 'no-ending', 'nested/ä #1 100%.tiff'];

  beforeAll(async () => {
    await prepare(jobId, {});
    await putAll(
      inbox,
      ['notes.txt', 'Thumbs.db', 'empty', 'readme.md', ...names].map((name) => [`${jobId}/${name}`, 'text']),
    );
    await put(inbox, `${jobId}/empty`, '');
    await put(inbox, `${jobId}/no-ending`, png);
    await put(inbox, `${jobId}b/other.jpg`, png);
  });

  const list = () => createListImages({ storage })({ jobId });

  test('gives the pictures by name or content, nested ones too, and says what it leaves out', async () => {
    expect(await list()).toEqual({
      items: names.length,
      warnings: [expect.stringMatching(/^4 files .+ left out: Thumbs\.db, empty, notes\.txt, …/)],
    });
    const items = await readListed(storage, await readImagesJob(storage, jobId), 0, names.length);
    expect(new Map(items.map(({ name, output }) => [name, output]))).toEqual(
      new Map([
        ['Z.JPG', 'Z'],
        ['a.jpg', 'a'],
        ['a.png', 'a.png'],
        ['nested/deep/x y.webp', 'nested/deep/x y'],
        ['nested/ä #1 100%.tiff', 'nested/ä #1 100%'],
        ['no-ending', 'no-ending'],
      ]),
    );
  });

  test('is listed once: a second run says the same though a file has come', async () => {
    const first = await list();
    await put(inbox, `${jobId}/late.jpg`, png);
    expect(await list()).toEqual(first);
  });
});

test('what macOS writes beside pictures, and what stands for a folder, is no item', async () => {
  const jobId = 'copied-abcd2345';
  await prepare(jobId, {});
  await putAll(
    inbox,
    ['a.jpg', '._a.jpg', 'album.jpg/b.jpg', '.c.jpg'].map((name) => [`${jobId}/${name}`, 'text']),
  );
  const stub = { metadata: { hdi_isfolder: 'true' } };
  for (const folder of ['album.jpg', 'empty']) await inbox.getBlockBlobClient(`${jobId}/${folder}`).upload('', 0, stub);
  for (const folder of ['', 'old/']) await put(inbox, `${jobId}/${folder}`, '');
  expect(await createListImages({ storage })({ jobId })).toEqual({
    items: 3,
    warnings: ['1 macOS metadata file is left out (._a.jpg): no picture is missing with it.'],
  });
});

test('a folder without pictures is refused with what is in it', async () => {
  const jobId = 'texts-abcd2345';
  await prepare(jobId, {});
  await putAll(
    inbox,
    ['a.txt', 'b/c.json'].map((name) => [`${jobId}/${name}`, 'text']),
  );
  await expect(createListImages({ storage })({ jobId })).rejects.toMatchObject({
    blame: 'user',
    message: expect.stringMatching(`JPEG.* below inbox/${jobId}/.* 2 files`) as string,
  });
});

test('what another job has made of a picture that fails now is removed where the job overwrites, and what is no job’s is left', async () => {
  const jobId = 'stale-abcd2345';
  await prepare(jobId, {}, { overwrite: true });
  await putAll(
    inbox,
    ['a.jpg', 'b.jpg', 'c.jpg'].map((name) => [`${jobId}/${name}`, 'x']),
  );
  await createListImages({ storage })({ jobId });
  await put(workOf(storage, jobId), scoredPart({ first: 0, last: 0 }, 1, 'png'), 'new');
  await giveUpItems(storage, jobId, [1, 2]);
  for (const name of ['a.png', 'b.png', 'other.png'])
    await outbox.getBlockBlobClient(`${jobId}/${name}`).upload('old', 3, { metadata: { job: 'earlier-abcd2345' } });
  await put(outbox, `${jobId}/c.png`, 'of the user');
  for (let time = 0; time < 2; time += 1) await createCollectItems({ storage })({ jobId, first: 0, count: 3 });
  const names: string[] = [];
  for await (const { name } of outbox.listBlobsFlat({ prefix: `${jobId}/` })) names.push(name.slice(jobId.length + 1));
  expect(names).toEqual(['a.png', 'c.png', 'other.png']);
  expect(await readText(outbox, `${jobId}/a.png`)).toBe('new');
});

describe('more items than one list holds', () => {
  const jobId = 'many-abcd2345';
  const COUNT = 1003;
  const name = (index: number) => `p/${String(index).padStart(4, '0')}.jpg`;
  const line = (index: number) => `${JSON.stringify({ item: name(index), classes: [{ index, score: 1 }] })}\n`;
  const indices = Array.from({ length: COUNT }, (_, index) => index);
  /** The others have no output. */
  const scored = [0, 1, 2, 5, 998, 999, 1001, 1002];

  beforeAll(async () => {
    await prepare(jobId, { kind: 'classes' });
    await putAll(
      inbox,
      indices.map((index) => [`${jobId}/${name(index)}`, 'x']),
    );
    await putAll(
      workOf(storage, jobId),
      scored.map((index) => [scoredPart({ first: index, last: index }, 1, 'json'), line(index)]),
    );
    expect(await createListImages({ storage })({ jobId })).toEqual({ items: COUNT, warnings: [] });
  });

  test('stand in lists of a thousand, and a range is read from those it lies in', async () => {
    const job = await readImagesJob(storage, jobId);
    const lists = await Promise.all([0, 1, 2].map((list) => readText(jobOf(storage, jobId), itemListBlob(list))));
    expect(lists.map((text) => text?.trim().split('\n').length)).toEqual([1000, 3, undefined]);
    expect(await readItems(storage, job, 998, 4)).toEqual(
      [998, 999, 1000, 1001].map((index) => ({
        name: name(index),
        index,
        input: `${jobId}/${name(index)}`,
        etag: expect.any(String) as string,
      })),
    );
  });

  test('are not collected while outputs are missing that no batch has ended without', async () => {
    const unscored = indices.filter((index) => !scored.includes(index));
    const findLost = () =>
      createFindLost({ storage })({ jobId, plan: { items: COUNT, size: 100, batches: 11, lanes: 2 } });
    const collect = () => createCollectItems({ storage })({ jobId, first: 0, count: COUNT });
    expect(await findLost()).toMatchObject({ batches: [...Array(11).keys()], message: /995 items/ });
    await giveUpItems(storage, jobId, unscored.slice(0, -1));
    await expect(collect()).rejects.toMatchObject({ blame: 'item', message: /p\/1000\.jpg has gone/ });
    expect(await findLost()).toMatchObject({ batches: [10], items: 1, message: /1 item / });
    await giveUpItems(storage, jobId, unscored);
    expect(await findLost()).toEqual({ batches: [], items: 0, message: '', accounted: COUNT, done: scored.length });
  });

  const outcome = async (file: string) => readText(outbox, `${jobId}/${file}`);

  test('are merged in their order without those that have no output, however often a step is run', async () => {
    const collect = createCollectItems({ storage });
    const merge = createCollectPredictions({ storage, media: createMedia(tools), tempFolder: os.tmpdir() });
    const range = { jobId, first: 0, count: COUNT };
    await collect(range);
    const first = await merge({ jobId, items: COUNT });
    await collect(range);
    expect(await merge({ jobId, items: COUNT })).toEqual(first);

    const jsonl = (await outcome('predictions.jsonl')) ?? '';
    const csv = (await outcome('predictions.csv')) ?? '';
    expect(jsonl).toBe(scored.map(line).join(''));
    const rows = scored.map((index) => `${name(index)},1,${index},,1`);
    expect(csv.trimEnd().split('\r\n')).toEqual(['item,rank,index,label,score', ...rows]);
    expect(first).toEqual({
      output: `outbox/${jobId}/`,
      predictions: `outbox/${jobId}/`,
      bytes: jsonl.length + csv.length,
    });
  });
});
