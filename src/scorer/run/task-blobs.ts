import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import {
  type AppendBlobClient,
  BlobClient,
  type BlobRequestConditions,
  ContainerClient,
  RestError,
} from '@azure/storage-blob';
import {
  type IsNamed,
  type Member,
  packBytes,
  readIndex,
  type ReadMember,
  readPack,
  writePack,
} from '../../container-contract/pack.js';
import {
  type ItemRange,
  parseScoredPart,
  presentIn,
  readAbsent,
  scoredPrefixes,
} from '../../container-contract/places.js';
import { isLastReport, RUNG } from '../../container-contract/progress.js';
import { again, downloadChunks, readWhole, STORAGE_OPTIONS } from '../../container-contract/storage-access.js';
import { JobError } from '../../job/failure.js';
import { contentTypeOf } from '../../job/items/formats.js';
import type { ScorerSettings } from '../../container-contract/environment.js';

/** The log of an attempt as it lies in storage. */
export interface StoredLog {
  text: string;
  version: string | undefined;
  metadata: Record<string, string> | undefined;
}

/**
 * All blobs that the scorer reads and writes. Every method throws JobError `platform` when storage keeps failing; messages name
 * blobs, never URLs. Each write is a single request, so a blob exists whole or not at all.
 */
export class TaskBlobs {
  readonly #settings: ScorerSettings;
  readonly #job: ContainerClient;
  readonly #work: ContainerClient;
  readonly #inputs: ContainerClient;

  constructor(settings: ScorerSettings) {
    this.#settings = settings;
    this.#job = new ContainerClient(settings.jobContainerUrl, undefined, STORAGE_OPTIONS);
    this.#work = new ContainerClient(settings.workContainerUrl, undefined, STORAGE_OPTIONS);
    const { inputContainerUrl } = settings;
    this.#inputs =
      inputContainerUrl === undefined ? this.#work : new ContainerClient(inputContainerUrl, undefined, STORAGE_OPTIONS);
  }

  readTask(signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    return read(
      this.#job.getBlobClient(this.#settings.taskBlob),
      `the task ${this.#settings.taskBlob}`,
      signal,
      'platform',
    );
  }

  readModel(signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    return read(new BlobClient(this.#settings.modelUrl, undefined, STORAGE_OPTIONS), 'the model file', signal, 'user');
  }

  /** The style picture's file; undefined when the settings name none. */
  async readStyle(signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { styleUrl } = this.#settings;
    if (styleUrl === undefined) return undefined;
    return read(new BlobClient(styleUrl, undefined, STORAGE_OPTIONS), 'the style picture', signal, 'user');
  }

  /**
   * A picture that a user has brought.
   * @param etag the version of it that is meant; any, when left out.
   * @throws JobError `item` when there is no such blob, or it is of another version.
   */
  readInput(name: string, signal: AbortSignal, etag?: string): Promise<Uint8Array<ArrayBuffer>> {
    return read(this.#inputs.getBlobClient(name), `the input ${name}`, signal, 'item', etag);
  }

  /** A frame that is a blob of its own. @throws JobError `item` when there is no such blob. */
  readFrame(name: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    return read(this.#work.getBlobClient(name), `the input ${name}`, signal, 'item');
  }

  /**
   * The members of a pack as they arrive.
   * @param skip how many of the first are not wanted: with some, those that are wanted are found by the index.
   * @throws JobError `item` when there is no such pack, or what is left of it is damaged.
   */
  async *readPack(name: string, isNamed: IsNamed, skip: number, signal: AbortSignal): AsyncGenerator<ReadMember> {
    const blob = this.#work.getBlobClient(name);
    try {
      if (skip > 0) {
        yield* readEnd(blob, isNamed, skip, signal);
        return;
      }
      const { bytes, chunks } = await downloadChunks(blob, signal);
      yield* readPack(chunks, bytes, isNamed);
    } catch (cause) {
      if (cause instanceof RangeError)
        throw new JobError('item', `the pack ${name} cannot be read: ${cause.message}`, { cause });
      throw isGone(cause)
        ? new JobError('item', `the pack ${name} does not exist`, { cause })
        : storageFailure(`read ${name}`, cause);
    }
  }

  /** @param output name in the work container. @param metadata keys are lowercase. */
  storeOutput(
    output: string,
    bytes: Uint8Array,
    signal: AbortSignal,
    metadata?: Record<string, string>,
  ): Promise<void> {
    return write(this.#work, output, bytes, { signal, metadata });
  }

  /** Stores several items as one blob; `metadata` keys are lowercase. */
  async storePack(
    name: string,
    members: Member[],
    metadata: Record<string, string>,
    signal: AbortSignal,
  ): Promise<void> {
    const blob = this.#work.getBlockBlobClient(name);
    const body = () => Readable.from(writePack(members));
    const options = { blobHTTPHeaders: { blobContentType: contentTypeOf(name) }, metadata, abortSignal: signal };
    try {
      await again(() => blob.upload(body, packBytes(members), options), signal);
    } catch (cause) {
      throw storageFailure(`write ${name}`, cause);
    }
  }

  /** Indices of the items that are in stored parts, among those from `first` to `last` and some around them. */
  async storedItems({ pack, ...range }: ItemRange & { pack: number }, signal: AbortSignal): Promise<Set<number>> {
    const list = async () => {
      const found = new Set<number>();
      for (const prefix of scoredPrefixes(range, pack)) {
        const blobs = this.#work.listBlobsFlat({ prefix, includeMetadata: true, abortSignal: signal });
        for await (const { name, metadata = {} } of blobs) {
          const part = parseScoredPart(name);
          if (!part) continue;
          // Parts are listed in the order of their first items.
          if (part.first > range.last) break;
          for (const index of presentIn({ ...part, absent: readAbsent(part, metadata) })) found.add(index);
        }
      }
      return found;
    };
    try {
      return await again(list, signal);
    } catch (cause) {
      throw storageFailure('list the outputs', cause);
    }
  }

  /**
   * Writes the log unless somebody has written it since.
   * @param before what this method gave last; undefined: there was no log.
   * @returns what is there instead, with its `text`, or what was written.
   */
  async writeLog(
    name: string,
    text: string,
    before: Pick<StoredLog, 'version' | 'metadata'> | undefined,
  ): Promise<StoredLog | Omit<StoredLog, 'text'>> {
    const blob = this.#job.getBlockBlobClient(name);
    const metadata = before?.metadata;
    const options = {
      blobHTTPHeaders: { blobContentType: contentTypeOf(name) },
      metadata,
      conditions: before ? { ifMatch: before.version } : { ifNoneMatch: '*' },
    };
    try {
      const { etag } = await again(() => blob.upload(text, Buffer.byteLength(text), options));
      return { version: etag, metadata };
    } catch (cause) {
      if (!isStale(cause)) throw storageFailure(`write ${name}`, cause);
    }
    try {
      return await again(async () => {
        const there = await blob.download();
        const body = await textOf(there.readableStreamBody ?? Readable.from([]));
        return { version: there.etag, metadata: there.metadata, text: body };
      });
    } catch (cause) {
      throw storageFailure(`read ${name}`, cause);
    }
  }

  /** Writes a blob beside the task. Metadata keys are lowercase. */
  writeRecord(name: string, text: string, metadata?: Record<string, string>): Promise<void> {
    return write(this.#job, name, Buffer.from(text), { metadata });
  }

  /**
   * A blob beside the task that this container writes again and again, and that others change only to make themselves heard.
   * @param rung is told once that somebody has done that, or that an earlier process of this attempt has written the blob.
   */
  recordWithBell(name: string, rung: () => void): (text: string, metadata: Record<string, string>) => Promise<void> {
    const blob = this.#job.getBlockBlobClient(name);
    const blobHTTPHeaders = { blobContentType: contentTypeOf(name) };
    let version: string | undefined;
    let isRung = false;
    return async (text, metadata) => {
      const put = (conditions: BlobRequestConditions) =>
        again(() => blob.upload(text, Buffer.byteLength(text), { blobHTTPHeaders, metadata, conditions }));
      try {
        if (isRung) {
          await put({});
          return;
        }
        try {
          version = (await put(version === undefined ? { ifNoneMatch: '*' } : { ifMatch: version })).etag;
        } catch (cause) {
          if (!isStale(cause)) throw cause;
          isRung = true;
          rung();
          await put({});
        }
      } catch (cause) {
        throw storageFailure(`write ${name}`, cause);
      }
    };
  }

  /**
   * Makes itself heard to the container that writes this record.
   * @returns whether that one may still answer: false when it has ended.
   */
  async ring(name: string): Promise<boolean> {
    const blob = this.#job.getBlockBlobClient(name);
    try {
      const { etag, metadata = {} } = await again(() => blob.getProperties());
      if (isLastReport(metadata)) return false;
      if (metadata[RUNG] === undefined)
        await again(() => blob.setMetadata({ ...metadata, [RUNG]: 'true' }, { conditions: { ifMatch: etag } }));
    } catch (cause) {
      // It has written meanwhile, or not yet.
      if (!isStale(cause) && !isGone(cause)) throw storageFailure(`change ${name}`, cause);
    }
    return true;
  }

  /**
   * A JSON blob beside the task that other containers change, too.
   * @returns replaces it by what is made of its latest version, as one step, and gives what is there then; `next` leaves things as they are
   * by returning what it gets, and may be called several times.
   */
  sharedRecord<T>(name: string): (next: (before: T | undefined) => T | undefined) => Promise<T | undefined> {
    const blob = this.#job.getBlockBlobClient(name);
    const blobHTTPHeaders = { blobContentType: contentTypeOf(name) };
    let known: Version<T> | undefined;
    return async (next) => {
      for (let isLatest = false; ;) {
        try {
          if (!known) {
            known = await again(() => readVersion<T>(blob));
            isLatest = true;
          }
          const { etag, value: before } = known;
          const value = next(before);
          if (value !== before) {
            const text = JSON.stringify(value);
            const conditions = etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag };
            const options = { conditions, blobHTTPHeaders };
            known = { etag: (await again(() => blob.upload(text, Buffer.byteLength(text), options))).etag, value };
            return value;
          }
          if (isLatest) return value;
        } catch (cause) {
          if (!isStale(cause)) throw storageFailure(`change ${name}`, cause);
        }
        known = undefined;
      }
    };
  }

  /** Adds text to the end of a blob beside the task, one call after the other; what an earlier process of this attempt wrote stays. */
  growingRecord(name: string): (text: string) => Promise<void> {
    const blob = this.#job.getAppendBlobClient(name);
    let length: number | undefined;
    return async (text) => {
      try {
        length ??= await again(() => createOrMeasure(blob));
        length = await again(() => append(blob, Buffer.from(text), length));
      } catch (cause) {
        length = undefined;
        throw storageFailure(`write ${name}`, cause);
      }
    };
  }
}

/** Whether somebody has written the blob since. */
const isStale = (cause: unknown) =>
  cause instanceof RestError && (cause.statusCode === 409 || cause.statusCode === 412);

interface Version<T> {
  etag: string | undefined;
  value: T | undefined;
}

async function readVersion<T>(blob: BlobClient): Promise<Version<T>> {
  try {
    const { etag, readableStreamBody } = await blob.download();
    return { etag, value: JSON.parse(await textOf(readableStreamBody ?? Readable.from([]))) as T };
  } catch (cause) {
    if (isGone(cause)) return { etag: undefined, value: undefined };
    throw cause;
  }
}

/** The members of a pack but for the first ones. */
async function* readEnd(
  blob: BlobClient,
  isNamed: IsNamed,
  skip: number,
  abortSignal: AbortSignal,
): AsyncGenerator<ReadMember> {
  const { contentLength: bytes = 0 } = await again(() => blob.getProperties({ abortSignal }), abortSignal);
  const range = (from: number, count: number) =>
    again(() => blob.downloadToBuffer(from, count, { abortSignal }), abortSignal);
  const wanted = (await readIndex(range, bytes)).slice(skip);
  const [first] = wanted;
  if (!first) return;
  const { chunks } = await downloadChunks(blob, abortSignal, first.at);
  let left = wanted.length;
  for await (const member of readPack(chunks, bytes, (name, position) => isNamed(name, position + skip))) {
    yield member;
    left -= 1;
    // What follows is the index, which tells of the members before these, too.
    if (left === 0) return;
  }
}

/** @returns the blob's length. */
async function createOrMeasure(blob: AppendBlobClient): Promise<number> {
  const blobHTTPHeaders = { blobContentType: contentTypeOf(blob.name) };
  const { succeeded } = await blob.createIfNotExists({ blobHTTPHeaders });
  return succeeded ? 0 : ((await blob.getProperties()).contentLength ?? 0);
}

/** Appends once, however often the request is repeated. @returns the new length. */
async function append(blob: AppendBlobClient, bytes: Buffer, length = 0): Promise<number> {
  const grown = length + bytes.length;
  try {
    await blob.appendBlock(bytes, bytes.length, { conditions: { appendPosition: length } });
  } catch (error) {
    const isThere = error instanceof RestError && error.statusCode === 412;
    if (!isThere || (await blob.getProperties()).contentLength !== grown) throw error;
  }
  return grown;
}

async function read(
  blob: BlobClient,
  what: string,
  signal: AbortSignal,
  missing: 'user' | 'item' | 'platform',
  etag?: string,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readWhole(blob, { signal, etag });
  } catch (cause) {
    if (cause instanceof RestError && cause.statusCode === 412)
      throw new JobError(
        missing,
        `${what} was replaced since the job has listed it; redrive the job to score what is there now`,
        { cause },
      );
    if (isGone(cause)) {
      const sentence = {
        user: `There is no blob for ${what}: put it back and start the job once more.`,
        item: `${what} does not exist`,
        platform: `There is no blob for ${what}.`,
      };
      throw new JobError(missing, sentence[missing], { cause });
    }
    throw storageFailure(`read ${what}`, cause);
  }
}

const isGone = (cause: unknown) =>
  cause instanceof RestError && cause.statusCode === 404 && cause.code !== 'ContainerNotFound';

interface WriteOptions {
  metadata?: Record<string, string>;
  signal?: AbortSignal;
}

async function write(
  container: ContainerClient,
  name: string,
  bytes: Uint8Array,
  { metadata, signal }: WriteOptions,
): Promise<void> {
  try {
    const options = { blobHTTPHeaders: { blobContentType: contentTypeOf(name) }, metadata, abortSignal: signal };
    await again(() => container.getBlockBlobClient(name).upload(bytes, bytes.length, options), signal);
  } catch (cause) {
    throw storageFailure(`write ${name}`, cause);
  }
}

function storageFailure(action: string, cause: unknown): JobError {
  const { code, statusCode } = cause instanceof RestError ? cause : { code: undefined, statusCode: undefined };
  // The SDK's own message may hold the URL with its signature.
  const reason = [statusCode === undefined ? undefined : `HTTP ${statusCode}`, code]
    .filter((part) => part !== undefined)
    .join(' ');
  return new JobError(
    'platform',
    `Storage did not let the scorer ${action} (${reason || (cause instanceof Error ? cause.name : 'no answer')}).`,
    { cause },
  );
}
