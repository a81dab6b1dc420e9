import { Readable } from 'node:stream';
import { type BlobClient, type ContainerClient, RestError } from '@azure/storage-blob';
import {
  type IsNamed,
  type Member,
  memberBytes,
  packBytes,
  readIndex,
  readMember,
  readPack,
  writePack,
} from '../container-contract/pack.js';
import { again, downloadChunks } from '../container-contract/storage-access.js';
import { JobError } from '../job/failure.js';
import { contentTypeOf } from '../job/items/formats.js';
import type { FrameMemory } from '../job/items/frame-memory.js';
import { isNotFound } from '../storage/storage.js';

/** Stores items as one blob, whole or not at all. */
export async function writeStoredPack(
  container: ContainerClient,
  name: string,
  members: Member[],
  metadata?: Record<string, string>,
): Promise<void> {
  const options = { blobHTTPHeaders: { blobContentType: contentTypeOf(name) }, metadata };
  const body = () => Readable.from(writePack(members));
  await again(() => container.getBlockBlobClient(name).upload(body, packBytes(members), options));
}

/** Where a member is if all members before it are as large as it. */
export interface Even {
  before: number;
  /** Of each. */
  bytes: number;
}

/**
 * One member of a pack, without the others.
 * @param even left out where nobody can tell: the index is read, too.
 * @throws JobError `item` when pack or member is gone or damaged.
 */
export async function readStoredMember(
  container: ContainerClient,
  name: string,
  member: string,
  even?: Even,
): Promise<Buffer> {
  const blob = container.getBlobClient(name);
  try {
    const found = even && (await readEven(blob, member, even));
    if (found) return found;
    const { contentLength = 0 } = await blob.getProperties();
    const read = (from: number, count: number) => again(() => blob.downloadToBuffer(from, count));
    const entry = (await readIndex(read, contentLength)).find((each) => each.name === member);
    if (!entry) throw goneMember(container, name, member);
    return Buffer.from(await readMember(read, entry));
  } catch (error) {
    throw packError(container, name, error);
  }
}

/** Undefined when the member is not there. */
async function readEven(blob: BlobClient, member: string, { before, bytes }: Even): Promise<Buffer | undefined> {
  const whole = memberBytes(member, bytes);
  try {
    return await again(async () => {
      const { readableStreamBody } = await blob.download(before * whole, whole);
      const chunks = Readable.from(readableStreamBody ?? []);
      const { value } = await readPack(chunks, Infinity, (name) => name === member).next();
      return value && Buffer.from(value.bytes);
    });
  } catch (error) {
    const isElsewhere = error instanceof RangeError || (error instanceof RestError && error.statusCode === 416);
    if (!isElsewhere) throw error;
    return undefined;
  }
}

/** A stored pack and what its members should be called. */
export interface StoredPack {
  blob: string;
  isNamed: IsNamed;
}

/** Reads members of packs in the order in which they are stored: each pack is asked for once, and nothing is kept of it. */
export class PackReader {
  #open: { blob: string; members: AsyncGenerator<Member> } | undefined;

  /** @param memory where members go; left out: new memory each. */
  constructor(
    private readonly container: ContainerClient,
    private readonly memory?: FrameMemory,
  ) {}

  /** @throws JobError `item` when the pack is gone or damaged, or the member is not among those behind the last one that was read. */
  async read(pack: StoredPack, member: string): Promise<Buffer> {
    const { blob } = pack;
    if (this.#open?.blob !== blob) {
      await this.close();
      this.#open = { blob, members: this.#members(pack) };
    }
    const { members } = this.#open;
    for (let step = await members.next(); step.done !== true; step = await members.next())
      if (step.value.name === member)
        return Buffer.from(step.value.bytes.buffer, step.value.bytes.byteOffset, step.value.bytes.length);
    throw goneMember(this.container, blob, member);
  }

  /** @throws JobError `item` when the pack is gone or damaged anywhere. */
  async check(pack: StoredPack): Promise<void> {
    for await (const _ of this.#members(pack));
  }

  async close(): Promise<void> {
    await this.#open?.members.return(undefined);
    this.#open = undefined;
  }

  async *#members({ blob, isNamed }: StoredPack): AsyncGenerator<Member> {
    try {
      const { bytes, chunks } = await downloadChunks(this.container.getBlobClient(blob));
      yield* readPack(chunks, bytes, isNamed, this.memory);
    } catch (error) {
      throw packError(this.container, blob, error);
    }
  }
}

const goneMember = ({ containerName }: ContainerClient, name: string, member: string) =>
  new JobError('item', `${member} is gone from ${containerName}/${name}.`);

function packError({ containerName }: ContainerClient, name: string, cause: unknown): unknown {
  if (cause instanceof RangeError)
    return new JobError('item', `${containerName}/${name} cannot be read: ${cause.message}.`, { cause });
  return isNotFound(cause) ? new JobError('item', `${containerName}/${name} is gone.`, { cause }) : cause;
}
