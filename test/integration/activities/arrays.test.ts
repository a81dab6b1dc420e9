import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { createCollectItems } from '../../../src/activities/images/collect-items.js';
import { createMedia } from '../../../src/media/media.js';
import { tools } from '../../support/clip.js';
import { createCollectPredictions } from '../../../src/activities/images/collect-predictions.js';
import { createListImages } from '../../../src/activities/images/list-images.js';
import { readPack } from '../../../src/container-contract/pack.js';
import { absentMetadata, memberName, scoredPart } from '../../../src/container-contract/places.js';
import { parseSpec } from '../../../src/job/spec.js';
import { writeFoundItems, writeItemList } from '../../../src/job-store/images/items.js';
import { jobOf, OUTBOX, RESOLVED_JOB, workOf } from '../../../src/job-store/layout.js';
import { writeStoredPack } from '../../../src/job-store/stored-packs.js';
import { toNpy } from '../../../src/scorer/outputs/read-output.js';
import { listBlobs, readBytes, readText, type Storage, writeJson } from '../../../src/storage/storage.js';
import { openAzurite } from '../../support/storage.js';
import { giveUpItems } from '../../support/video-job.js';

let storage: Storage;
let jobs = 0;
let jobId = '';

beforeAll(async () => {
  storage = openAzurite(inject('storage'));
  await storage.media.getContainerClient(OUTBOX).createIfNotExists();
});
beforeEach(() => {
  jobs += 1;
  jobId = `arrays-${process.pid}-${jobs}`;
});

const outbox = () => storage.media.getContainerClient(OUTBOX);
/** Two rows of three whole numbers that tell the item. */
const array = (index: number) =>
  Buffer.from(toNpy({ type: 'int32', dims: [2, 3], data: Int32Array.from([index, 1, 2, 3, 4, 5]) }));

interface Given {
  names: string[];
  pack?: number;
  asked?: number | 'auto';
  kind?: 'tensor' | 'classes';
}

/** A job over images whose model gives arrays, before it is collected. */
async function prepare({ names, pack = 4, asked = 'auto', kind = 'tensor' }: Given): Promise<void> {
  await Promise.all([jobOf(storage, jobId).create(), workOf(storage, jobId).create()]);
  const images = `inbox/${jobId}/`;
  const spec = parseSpec(JSON.stringify({ input: { images }, model: 'm', batch: { pack: asked } }));
  const output = `${OUTBOX}/${jobId}/`;
  await writeJson(jobOf(storage, jobId), RESOLVED_JOB, {
    pack,
    jobId,
    spec,
    images,
    output,
    card: { output: { kind, name: 'y' } },
  });
  for (let list = 0; list * 1000 < names.length; list += 1)
    await writeItemList(
      storage,
      jobId,
      list,
      names.slice(list * 1000, (list + 1) * 1000).map((name) => ({ name, output: name.replace(/\.[^.]*$/, '') })),
    );
  await writeFoundItems(storage, jobId, { items: names.length, warnings: [] });
}

async function storeParts(
  pack: number,
  ...ranges: [first: number, last: number, ...absent: number[]][]
): Promise<void> {
  for (const [first, last, ...absent] of ranges) {
    const present = Array.from({ length: last - first + 1 }, (_, k) => first + k).filter((k) => !absent.includes(k));
    const members = present.map((index) => ({ name: memberName(index, 'npy'), bytes: array(index) }));
    const name = scoredPart({ first, last }, pack, 'npy');
    const part = workOf(storage, jobId).getBlockBlobClient(name);
    if (pack > 1) await writeStoredPack(workOf(storage, jobId), name, members);
    else await part.uploadData(array(first));
    if (absent.length > 0) await part.setMetadata(absentMetadata({ first, last }, absent));
  }
}

/** Names and contents of what was delivered. */
async function delivered(): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for await (const { name } of listBlobs(outbox(), { prefix: `${jobId}/` }))
    found.set(name.slice(jobId.length + 1), (await readBytes(outbox(), name)) ?? Buffer.alloc(0));
  return found;
}

async function membersOf(archive: Buffer | undefined): Promise<Map<string, Buffer>> {
  const bytes = archive ?? Buffer.alloc(0);
  const found = new Map<string, Buffer>();
  const chunks = async function* () {
    yield await Promise.resolve(bytes);
  };
  for await (const { name, bytes: content } of readPack(chunks(), bytes.length)) found.set(name, Buffer.from(content));
  return found;
}

const images = (count: number) => Array.from({ length: count }, (_, k) => `nested/${String(k).padStart(4, '0')}.jpg`);
const collect = async (items: number, fileBytes?: number) => {
  const { bytes } = await createCollectItems({ storage }, fileBytes)({ jobId, first: 0, count: items });
  await createCollectPredictions({ storage, media: createMedia(tools), tempFolder: os.tmpdir() })({ jobId, items });
  return bytes;
};
const numpy = (() => {
  try {
    execFileSync('/usr/bin/python3', ['-c', 'import numpy'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

test('arrays of images come as an archive of each thousand, and the tables say where each item is', async () => {
  const names = images(1003);
  await prepare({ names, pack: 600 });
  await storeParts(600, [0, 599, 7], [600, 1002]);
  await giveUpItems(storage, jobId, [7]);
  const bytes = await collect(names.length);
  const files = await delivered();
  expect([...files.keys()]).toEqual([
    'arrays/0000000.npz',
    'arrays/0001000.npz',
    'predictions.csv',
    'predictions.jsonl',
  ]);
  const [first, second] = [files.get('arrays/0000000.npz'), files.get('arrays/0001000.npz')];
  expect(bytes).toBe((first?.length ?? 0) + (second?.length ?? 0));
  const arrays = await membersOf(first);
  expect(arrays.size).toBe(999);
  expect(arrays.get('nested/0599.jpg.npy')?.equals(array(599))).toBe(true);
  expect([...(await membersOf(second)).keys()]).toEqual(names.slice(1000).map((name) => `${name}.npy`));
  const lines = files.get('predictions.jsonl')?.toString().trim().split('\n') ?? [];
  expect(lines).toHaveLength(1002);
  expect(JSON.parse(lines.at(-1) ?? '')).toEqual({
    item: 'nested/1002.jpg',
    file: 'arrays/0001000.npz',
    member: 'nested/1002.jpg.npy',
  });
  expect(files.get('predictions.csv')?.toString().split('\r\n').slice(0, 2)).toEqual([
    'item,file,member',
    'nested/0000.jpg,arrays/0000000.npz,nested/0000.jpg.npy',
  ]);
});

test.skipIf(!numpy)('NumPy opens the archives (skipped without it)', async () => {
  await prepare({ names: ['a.jpg', 'nested/ä b.png'] });
  await storeParts(4, [0, 1]);
  await collect(2);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'arrays-'));
  try {
    writeFileSync(path.join(folder, 'a.npz'), (await delivered()).get('arrays/0000000.npz') ?? '');
    const script =
      'import numpy,sys; d=numpy.load(sys.argv[1]); print([(k, d[k].shape, d[k].tolist()) for k in d.files])';
    const said = execFileSync('/usr/bin/python3', ['-X', 'utf8', '-c', script, path.join(folder, 'a.npz')]).toString();
    expect(said.trim()).toBe(
      "[('a.jpg', (2, 3), [[0, 1, 2], [3, 4, 5]]), ('nested/ä b.png', (2, 3), [[1, 1, 2], [3, 4, 5]])]",
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('an archive that would become too large goes on in another one, and doing it again gives the same', async () => {
  await prepare({ names: images(5) });
  await storeParts(4, [0, 1], [2, 3], [4, 4]);
  const most = 3 * array(0).length;
  await collect(5, most);
  const files = await delivered();
  expect([...files.keys()].slice(0, 2)).toEqual(['arrays/0000000.npz', 'arrays/0000003.npz']);
  expect((await membersOf(files.get('arrays/0000003.npz'))).size).toBe(2);
  await collect(5, most);
  expect(await delivered()).toEqual(files);
});

test('an array that is larger than an archive may be has one of its own', async () => {
  await prepare({ names: images(2) });
  await storeParts(4, [0, 1]);
  await collect(2, 1);
  expect([...(await delivered()).keys()].slice(0, 2)).toEqual(['arrays/0000000.npz', 'arrays/0000001.npz']);
});

test('a part that cannot be read is removed, so that its items are scored again, and its archive is not there', async () => {
  await prepare({ names: images(6) });
  await storeParts(4, [0, 3], [4, 5]);
  const part = workOf(storage, jobId).getBlockBlobClient('scored/0000004-0000005.zip');
  const whole = await part.downloadToBuffer();
  await part.uploadData(whole.subarray(0, -9));
  await expect(collect(6)).rejects.toMatchObject({ blame: 'item' });
  expect(await part.exists()).toBe(false);
  expect([...(await delivered()).keys()]).toEqual([]);
  await storeParts(4, [4, 5]);
  await collect(6);
  expect((await membersOf((await delivered()).get('arrays/0000000.npz'))).size).toBe(6);
});

test('lines that are files of their own and cannot be read are removed, so that their items are scored again', async () => {
  await prepare({ names: images(4), pack: 1, asked: 1, kind: 'classes' });
  const work = workOf(storage, jobId);
  for (const [index, line] of ['{"item":"a","classes":[]}\n', '', '{"item":"a","cla', '<html>'].entries())
    await work.getBlockBlobClient(`scored/${memberName(index, 'json')}`).uploadData(Buffer.from(line));
  await expect(collect(4)).rejects.toMatchObject({
    blame: 'item',
    message: expect.stringMatching(/^work-\S+\/scored\/\S+\.json cannot be read: it is no line of JSON\.$/) as string,
  });
  const left: string[] = [];
  for await (const { name } of listBlobs(work, { prefix: 'scored/' })) left.push(name);
  expect(left).toEqual(['scored/0000000.json']);
});

test('an archive that somebody else has put there meanwhile stays, and the job says where its own is', async () => {
  await prepare({ names: images(2) });
  await storeParts(4, [0, 1]);
  await outbox().getBlockBlobClient(`${jobId}/arrays/0000000.npz`).uploadData(Buffer.from('mine'));
  await expect(collect(2)).rejects.toMatchObject({
    blame: 'user',
    message: expect.stringContaining(`work-${jobId}/kept/0000000.npz`) as string,
  });
  expect(await readText(outbox(), `${jobId}/arrays/0000000.npz`)).toBe('mine');
});

test('items whose names cannot stand in an archive stand there under their numbers', async () => {
  const names = ['0000002', 'a//b.jpg', '../c.jpg'];
  await prepare({ names });
  await storeParts(4, [0, 2]);
  await collect(3);
  const members = await membersOf((await delivered()).get('arrays/0000000.npz'));
  expect([...members.keys()]).toEqual(['0000002.npy', '0000001.npy', '_0000002.npy']);
  const lines = (await delivered()).get('predictions.jsonl')?.toString() ?? '';
  expect(lines).toContain('{"item":"../c.jpg","file":"arrays/0000000.npz","member":"_0000002.npy"}\n');
});

test('images with such names are listed where their outputs stand in archives', async () => {
  await prepare({ names: ['gone.jpg'] });
  await jobOf(storage, jobId).getBlobClient('items.json').delete();
  const inbox = storage.media.getContainerClient('inbox');
  await inbox.createIfNotExists();
  await inbox.getBlockBlobClient(`${jobId}/a./b.jpg`).uploadData(Buffer.from('x'));
  expect(await createListImages({ storage })({ jobId })).toMatchObject({ items: 1 });
});

test('arrays so large that each is stored alone come in archives, too; with "pack" 1 each is a file', async () => {
  await prepare({ names: images(2), pack: 1 });
  await storeParts(1, [0, 0], [1, 1]);
  await collect(2);
  expect([...(await membersOf((await delivered()).get('arrays/0000000.npz'))).values()]).toEqual([array(0), array(1)]);

  jobId = `${jobId}-single`;
  await prepare({ names: images(2), pack: 1, asked: 1 });
  await storeParts(1, [0, 0], [1, 1]);
  await collect(2);
  expect([...(await delivered()).keys()]).toEqual([
    'nested/0000.npy',
    'nested/0001.npy',
    'predictions.csv',
    'predictions.jsonl',
  ]);
  expect((await delivered()).get('predictions.csv')?.toString()).toMatch(
    /^item,file\r\nnested\/0000\.jpg,nested\/0000\.npy\r\n/,
  );
});
