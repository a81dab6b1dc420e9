import { createHash, type Hash } from 'node:crypto';
import type * as FileSystem from 'node:fs';
import type { Readable } from 'node:stream';

/** Where the bytes of one upload are in the files of Azurite. */
type Extent = object;

/** The part of Azurite that keeps bytes in files, as far as it matters here. */
interface ExtentStore {
  appendExtent: (this: ExtentStore, data: Readable | Buffer, context?: string) => Promise<Extent>;
  readExtent: (this: ExtentStore, extent?: Extent, context?: string) => Promise<Readable>;
  streamPipe: (
    this: ExtentStore,
    from: Readable,
    to: NodeJS.WritableStream,
    descriptor?: number,
    context?: string,
  ) => Promise<number>;
}

export interface AzuriteParts {
  ExtentStore: { prototype: ExtentStore };
  utils: { getMD5FromStream: (stream: Readable) => Promise<Uint8Array | undefined> };
}

/** Azurite itself gives no MD5 of larger blobs that came in blocks. */
const MOST_HASHED_BYTES = 4 * 1024 * 1024;

/**
 * Has Azurite take the MD5 of what it stores on its way to the file, and none of large blobs whose sender names none. As it comes, it reads
 * every blob again for it (docs/lab/benchmarks.md has what that costs).
 */
export function hashOnTheWay({ ExtentStore: { prototype: store }, utils }: AzuriteParts): void {
  const { appendExtent, readExtent, streamPipe } = store;
  const { getMD5FromStream } = utils;
  const arriving = new WeakMap<object, Hash | 'none'>();
  const hashes = new WeakMap<object, Uint8Array | 'none'>();

  store.streamPipe = function (from, ...rest) {
    const hash = wantsHash(from) ? createHash('md5') : 'none';
    arriving.set(from, hash);
    if (hash !== 'none') from.on('data', (bytes: Uint8Array) => hash.update(bytes));
    return streamPipe.call(this, from, ...rest);
  };
  store.appendExtent = async function (data, context) {
    const extent = await appendExtent.call(this, data, context);
    const hash = arriving.get(data);
    if (hash) hashes.set(extent, hash === 'none' ? hash : hash.digest());
    return extent;
  };
  store.readExtent = async function (extent, context) {
    const stream = await readExtent.call(this, extent, context);
    const hash = extent && hashes.get(extent);
    if (hash) hashes.set(stream, hash);
    return stream;
  };
  utils.getMD5FromStream = async (stream) => {
    const hash = hashes.get(stream);
    if (hash === undefined) return getMD5FromStream(stream);
    stream.destroy();
    return hash === 'none' ? undefined : hash;
  };
}

/** @param from the body of a request, or bytes of Azurite's own. */
function wantsHash(from: Readable & { headers?: NodeJS.Dict<unknown> }): boolean {
  const { headers = {} } = from;
  const isNamed = headers['content-md5'] !== undefined || headers['x-ms-blob-content-md5'] !== undefined;
  return isNamed || !(Number(headers['content-length']) > MOST_HASHED_BYTES);
}

const READ_BYTES = 1024 * 1024;
const WRITE_BYTES = 4 * 1024 * 1024;

/** Has files read, and what waits to be written to one gathered, in large pieces: each piece takes a turn of the thread pool. */
export function useLargePieces(fileSystem: Pick<typeof FileSystem, 'createReadStream' | 'createWriteStream'>): void {
  const { createReadStream, createWriteStream } = fileSystem;
  fileSystem.createReadStream = (file, options) =>
    createReadStream(file, { highWaterMark: READ_BYTES, ...optionsOf(options) });
  fileSystem.createWriteStream = (file, options) =>
    createWriteStream(file, { highWaterMark: WRITE_BYTES, ...optionsOf(options) });
}

const optionsOf = <T extends object>(options: BufferEncoding | T | undefined) =>
  typeof options === 'string' ? { encoding: options } : options;
