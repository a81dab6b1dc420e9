import type { ContainerClient } from '@azure/storage-blob';
import pMap from 'p-map';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { createCollectItems } from '../../../src/activities/images/collect-items.js';
import { createCollectPredictions } from '../../../src/activities/images/collect-predictions.js';
import { readItems, readListed } from '../../../src/job-store/images/items.js';
import { createFindLost } from '../../../src/activities/videos/find-lost.js';
import { createListImages } from '../../../src/activities/images/list-images.js';
import { readImagesJob } from '../../../src/job-store/resolved-job.js';
import { parseSpec } from '../../../src/job/spec.js';
import { scoredPart } from '../../../src/container-contract/places.js';
import { itemListBlob, jobOf, RESOLVED_JOB, workOf } from '../../../src/job-store/layout.js';
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
async function prepare(jobId: string, output: object): Promise<void> {
  await Promise.all([jobOf(storage, jobId).create(), workOf(storage, jobId).create()]);
  const images = `inbox/${jobId}/`;
  const spec = parseSpec(JSON.stringify({ input: { images }, model: 'm' }));
  await writeJson(jobOf(storage, jobId), RESOLVED_JOB, {
    pack: 1,
    jobId,
    spec,
    images,
    output: `outbox/${jobId}/`,
    card: { output },
  });
}

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
    expect(await findLost()).toMatchObject({ batches: [10], message: /1 item / });
    await giveUpItems(storage, jobId, unscored);
    expect(await findLost()).toEqual({ batches: [], message: '', accounted: COUNT });
  });

  const outcome = async (file: string) => readText(outbox, `${jobId}/${file}`);

  test('are merged in their order without those that have no output, however often a step is run', async () => {
    const collect = createCollectItems({ storage });
    const merge = createCollectPredictions({ storage });
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
