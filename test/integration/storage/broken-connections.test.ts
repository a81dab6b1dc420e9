import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BlockBlobClient } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { scoredPart } from '../../../src/container-contract/places.js';
import { saveWhole } from '../../../src/container-contract/storage-access.js';
import { TaskBlobs } from '../../../src/scorer/run/task-blobs.js';
import { containerSas, listBlobs, readJson, type Storage, writeJson } from '../../../src/storage/storage.js';
import { openAzurite } from '../../support/storage.js';
import { startStorageProxy, STORAGE_FAULTS, type StorageProxy } from '../../support/storage-proxy.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-broken-'));
const NAME = 'broken-connections';
const BIG = Buffer.alloc(300_000, 'some text ');
let proxy: StorageProxy;
let storage: Storage;

beforeAll(async () => {
  proxy = await startStorageProxy(inject('storage'));
  proxy.latestMs = 100;
  storage = openAzurite(proxy.connectionString);
  const container = storage.media.getContainerClient(NAME);
  await container.createIfNotExists();
  await container.getBlockBlobClient('big').uploadData(BIG);
  await writeJson(container, 'in/record.json', { text: 'x'.repeat(1000) });
});
afterAll(async () => {
  await proxy.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(STORAGE_FAULTS)('a request that goes wrong (%s)', (fault) => {
  const container = () => storage.media.getContainerClient(NAME);
  const struck = () => proxy.struck[fault] ?? 0;
  const once = async <T>(of: RegExp, work: () => Promise<T>): Promise<T> => {
    const before = struck();
    proxy.strike(fault, of);
    const result = await work();
    expect(struck()).toBe(before + 1);
    return result;
  };

  test('is repeated by the app, which reads, lists and writes all the same', async () => {
    const record = await once(/^GET .*record/, () => readJson<{ text: string }>(container(), 'in/record.json'));
    expect(record?.text).toHaveLength(1000);
    const listed = await once(/^GET .*comp=list/, async () => {
      const names: string[] = [];
      for await (const { name } of listBlobs(container(), { prefix: 'in/' })) names.push(name);
      return names;
    });
    expect(listed).toContain('in/record.json');
    await once(/^PUT .*written/, () => writeJson(container(), 'written.json', { fault }));
    expect(await readJson(container(), 'written.json')).toEqual({ fault });
    const file = path.join(folder, `${fault}.bin`);
    await once(/^GET .*big/, () => saveWhole(container().getBlobClient('big'), file));
    expect(readFileSync(file).equals(BIG)).toBe(true);
  });

  test('is repeated by the scorer', async () => {
    const url = await containerSas(storage, container(), 'rcwl', Date.now() + 60_000);
    const urls = { jobContainerUrl: url, workContainerUrl: url, inputContainerUrl: url, modelUrl: url };
    const blobs = new TaskBlobs({
      taskBlob: 'in/record.json',
      styleUrl: undefined,
      threads: 1,
      sessions: 1,
      codec: 'auto',
      device: 'cpu',
      visibleGpus: undefined,
      traceId: undefined,
      ...urls,
    });
    const output = `scored/000000${STORAGE_FAULTS.indexOf(fault)}.json`;
    const { signal } = new AbortController();
    expect(BIG.equals(await once(/^GET .*big/, () => blobs.readInput('big', signal)))).toBe(true);
    await once(/^PUT .*scored/, () => blobs.storeOutput(output, Buffer.from(fault), signal));
    expect((await new BlockBlobClient(url.replace('?', `/${output}?`)).downloadToBuffer()).toString()).toBe(fault);
    const members = [1, 2].map((index) => ({ name: `${index}.png`, bytes: BIG.subarray(index) }));
    const part = scoredPart({ first: 10, last: 12 }, 3, 'png');
    await once(/^PUT .*scored/, () => blobs.storePack(part, members, { absent: '1' }, signal));
    const found = await once(/^GET .*comp=list/, () => blobs.storedItems({ first: 0, last: 20, pack: 1 }, signal));
    expect([...found]).toEqual(expect.arrayContaining([STORAGE_FAULTS.indexOf(fault), 10, 12]));
    expect(found).not.toContain(11);
    const readFrom = async (skip: number) => {
      const read: string[] = [];
      for await (const { name, bytes } of blobs.readPack(part, () => true, skip, signal))
        if (BIG.subarray(Number.parseInt(name, 10)).equals(bytes)) read.push(name);
      return read;
    };
    expect(await once(/^GET .*scored/, () => readFrom(0))).toEqual(['1.png', '2.png']);
    expect(await once(/^GET .*scored/, () => readFrom(1))).toEqual(['2.png']);
  });
});
