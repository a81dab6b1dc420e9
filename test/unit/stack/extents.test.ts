import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AzuriteParts, hashOnTheWay } from '../../../src/stack/extents.js';

const azurite = createRequire(createRequire(import.meta.url).resolve('azurite/dist/src/azurite.js'));
const { default: ExtentStore } = azurite('./common/persistence/FSExtentStore.js') as { default: Store };
const utils = azurite('./common/utils/utils.js') as AzuriteParts['utils'];

interface Extent {
  count: number;
}
interface ReadStream extends Readable {
  bytesRead: number;
}
/** Azurite's, with nothing of its database but what one store asks of it. */
type Store = AzuriteParts['ExtentStore'] &
  (new (
    database: object,
    places: object[],
    log: object,
  ) => {
    appendExtent(data: Readable): Promise<Extent>;
    readExtent(extent: Extent): Promise<ReadStream>;
  });

const LARGE = 5 * 1024 * 1024;
const quiet = () => {};
const log = { info: quiet, debug: quiet, verbose: quiet, error: quiet };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'extents-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const openStore = () => {
  const database = { isInitialized: () => true, updateExtent: quiet, getExtentLocationId: () => 'here' };
  return new ExtentStore(database, [{ locationId: 'here', locationPath: folder, maxConcurrency: 2 }], log);
};
/** The body of a request. */
const bodyOf = (bytes: Buffer, headers: Record<string, string> = {}) =>
  Object.assign(Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]), {
    headers: { 'content-length': String(bytes.length), ...headers },
  });
const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest();

/** What Azurite does with the body of an upload: it stores it, and then asks for its MD5. */
async function upload(bytes: Buffer, headers?: Record<string, string>) {
  const store = openStore();
  const extent = await store.appendExtent(bodyOf(bytes, headers));
  const stream = await store.readExtent(extent);
  const hash = await utils.getMD5FromStream(stream);
  const isStored = (await buffer(await store.readExtent(extent))).equals(bytes);
  return { hash: hash && Buffer.from(hash), read: stream.bytesRead, isStored };
}

test('Azurite takes the MD5 of what it stores without reading it again, where it would read it all', async () => {
  const bytes = Buffer.from('what a scorer reports');
  expect(await upload(bytes)).toEqual({ hash: md5(bytes), read: bytes.length, isStored: true });

  hashOnTheWay({ ExtentStore, utils });
  expect(await upload(bytes)).toEqual({ hash: md5(bytes), read: 0, isStored: true });
  expect(await upload(Buffer.alloc(0))).toMatchObject({ hash: md5(Buffer.alloc(0)) });
  const several = Array.from({ length: 4 }, (_, index) => Buffer.alloc(100_000, index));
  const found = await Promise.all(several.map((each) => upload(each)));
  expect(found.map(({ hash }) => hash)).toEqual(several.map(md5));

  const large = Buffer.alloc(LARGE, 'large');
  expect(await upload(large)).toEqual({ hash: undefined, read: 0, isStored: true });
  for (const name of ['content-md5', 'x-ms-blob-content-md5'])
    expect(await upload(large, { [name]: 'any' })).toEqual({ hash: md5(large), read: 0, isStored: true });
  expect(await utils.getMD5FromStream(Readable.from([bytes]))).toEqual(md5(bytes));
});
