import { crc32 } from 'node:zlib';
import { hasUnusableCharacters } from '../job/items/blob-names.js';
import { FrameMemory } from '../job/items/frame-memory.js';

/**
 * A pack: items that are stored as one blob. It is a ZIP file without compression (PKWARE APPNOTE 6.3.10,
 * https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), so that ordinary tools open it, and the same items always give the same
 * bytes:
 *
 *     for each item: a header with its name, size and CRC-32, then its bytes as they are
 *     the index:     the headers again, with where each of them is
 *     the end:       22 bytes that say where the index is
 *
 * All but the items' own bytes follows from their names, sizes and checksums. So readers compute what there should be and compare: a pack
 * that is cut off anywhere, that was changed, or that another program wrote is refused.
 */
export interface Member {
  /** `0000042.png`, or an image's name below its prefix: `nested/a.jpg`. */
  name: string;
  bytes: Uint8Array;
}

export interface ReadMember extends Member {
  bytes: Uint8Array<ArrayBuffer>;
}

/** What the index says of a member. */
export interface Entry {
  name: string;
  /** In bytes. */
  size: number;
  crc: number;
  /** Where its header is. */
  at: number;
}

/** The bytes from `from` on, `count` of them or up to the end. */
export type ReadRange = (from: number, count: number) => Promise<Uint8Array>;

/**
 * Whether the member at a position, from 0, has the name that it should have. A name that was changed to another possible one is all that
 * a pack does not give away before its end.
 */
export type IsNamed = (name: string, position: number) => boolean;

/** The largest values of their fields mean a ZIP file of another kind. */
const MOST_MEMBERS = 0xfffe;
const MOST_BYTES = 0xfffffffe;
const MOST_NAME_BYTES = 0xffff;

const HEADER = { signature: 0x04034b50, bytes: 30, size: 18, crc: 14, nameBytes: 26 };
const INDEX = { signature: 0x02014b50, bytes: 46, size: 20, crc: 16, nameBytes: 28, at: 42 };
const SIGNATURE_BYTES = 4;
const END = { signature: 0x06054b50, bytes: 22, indexBytes: 12 };
/** Reading this much from the end usually brings the whole index along. */
const TAIL_BYTES = 32 * 1024;

/** Version 1.0, which knows no compression; names are UTF-8; 1 January 1980, the first day there is. */
const COMMON = { version: 10, utf8: 1 << 11, date: (1 << 5) | 1 };
/** A file of Unix that everybody may read: without it, some tools unpack files that nobody may. */
const ATTRIBUTES = { madeBy: (3 << 8) | COMMON.version, mode: 0o100644 * 2 ** 16 };

const CUT = 'it is cut off';
const CHANGED = 'it is damaged or was not written by this program';

/** How many bytes of a pack a member takes, without its place in the index. */
export const memberBytes = (name: string, size: number): number => HEADER.bytes + Buffer.byteLength(name) + size;

/** How many bytes a pack of these members has. @throws RangeError as `writePack`. */
export function packBytes(members: Iterable<Pick<Member, 'name'> & { bytes: { length: number } }>): number {
  const outline = new Outline();
  for (const { name, bytes } of members) outline.add(name, bytes.length, 0);
  return outline.bytes;
}

/**
 * Writes a pack piece by piece and holds no more than its index.
 * @throws RangeError with a clause: two members of one name, a name that cannot be stored or unpacked everywhere, more than 65,534
 * members or than 4 GiB.
 */
export async function* writePack(members: Iterable<Member> | AsyncIterable<Member>): AsyncGenerator<Uint8Array> {
  const outline = new Outline();
  for await (const { name, bytes } of members) {
    yield outline.add(name, bytes.length, crc32(bytes));
    yield bytes;
  }
  yield outline.index();
}

/**
 * The members of a pack as they arrive; holds one of them and the index.
 * @param bytes of the whole pack: what claims to be larger is refused before it is held.
 * @param isNamed left out: any names are right.
 * @param memory where the members go; left out: new memory each.
 * @throws RangeError with a clause, after the members before the fault: the pack is cut off or is not as `writePack` writes it.
 */
export async function* readPack(
  chunks: AsyncIterable<Uint8Array>,
  bytes: number,
  isNamed: IsNamed = () => true,
  memory = new FrameMemory(),
): AsyncGenerator<ReadMember> {
  const arriving = new Arriving(chunks);
  const outline = new Outline();
  try {
    let next = await arriving.take(SIGNATURE_BYTES);
    for (; next.readUInt32LE() === HEADER.signature; next = await arriving.take(SIGNATURE_BYTES)) {
      const fields = Buffer.concat([next, await arriving.take(HEADER.bytes - SIGNATURE_BYTES)]);
      const name = await arriving.take(fields.readUInt16LE(HEADER.nameBytes));
      const [size, crc] = [fields.readUInt32LE(HEADER.size), fields.readUInt32LE(HEADER.crc)];
      const isRight = isNamed(name.toString(), outline.entries.length);
      const header = outline.add(name.toString(), size, crc);
      if (!isRight || !header.equals(Buffer.concat([fields, name])) || outline.bytes > bytes)
        throw new RangeError(CHANGED);
      const content = await arriving.take(size, memory.take(size));
      if (crc32(content) !== crc) throw new RangeError(CHANGED);
      yield { name: name.toString(), bytes: content };
    }
    const index = outline.index();
    const found = Buffer.concat([next, await arriving.take(index.length - SIGNATURE_BYTES)]);
    if (outline.bytes !== bytes || !found.equals(index) || !(await arriving.atEnd())) throw new RangeError(CHANGED);
  } finally {
    await arriving.stop();
  }
}

/**
 * The index of a stored pack, read from its end.
 * @param bytes of the whole pack.
 * @throws RangeError with a clause: as `readPack`.
 */
export async function readIndex(read: ReadRange, bytes: number): Promise<Entry[]> {
  const tailBytes = Math.min(bytes, TAIL_BYTES);
  const tail = Buffer.from(await read(bytes - tailBytes, tailBytes));
  if (tail.length < END.bytes) throw new RangeError(CUT);
  const end = tail.subarray(-END.bytes);
  if (end.readUInt32LE() !== END.signature) throw new RangeError(CUT);
  const length = end.readUInt32LE(END.indexBytes) + END.bytes;
  if (length > bytes) throw new RangeError(CHANGED);
  const index = length <= tail.length ? tail.subarray(-length) : Buffer.from(await read(bytes - length, length));
  const outline = new Outline();
  for (let at = 0; at + INDEX.bytes <= index.length - END.bytes;) {
    const nameEnd = at + INDEX.bytes + index.readUInt16LE(at + INDEX.nameBytes);
    const name = index.toString('utf8', at + INDEX.bytes, nameEnd);
    outline.add(name, index.readUInt32LE(at + INDEX.size), index.readUInt32LE(at + INDEX.crc));
    at = nameEnd;
  }
  if (outline.bytes !== bytes || !outline.index().equals(index)) throw new RangeError(CHANGED);
  return outline.entries;
}

/** One member of a stored pack. @throws RangeError with a clause: as `readPack`. */
export async function readMember(read: ReadRange, entry: Entry): Promise<Uint8Array> {
  const header = headerOf(entry);
  const bytes = Buffer.from(await read(entry.at, header.length + entry.size));
  if (bytes.length < header.length + entry.size) throw new RangeError(CUT);
  const content = bytes.subarray(header.length);
  if (!bytes.subarray(0, header.length).equals(header) || crc32(content) !== entry.crc) throw new RangeError(CHANGED);
  return content;
}

/** What stands around the members' bytes. */
class Outline {
  readonly entries: Entry[] = [];
  readonly #names = new Set<string>();
  #at = 0;
  #indexBytes = END.bytes;

  /** Bytes of the whole pack if no more members came. */
  get bytes(): number {
    return this.#at + this.#indexBytes;
  }

  /** @returns the header of the member. */
  add(name: string, size: number, crc: number): Buffer {
    if (!mayBeNamed(name)) throw new RangeError(`it has an item whose name cannot be stored: ${shown(name)}`);
    if (this.#names.has(name)) throw new RangeError(`it has two items named ${shown(name)}`);
    if (this.entries.length === MOST_MEMBERS) throw new RangeError(`it has more than ${MOST_MEMBERS} items`);
    const entry = { name, size, crc, at: this.#at };
    const header = headerOf(entry);
    this.#at += header.length + size;
    this.#indexBytes += header.length + INDEX.bytes - HEADER.bytes;
    if (this.bytes > MOST_BYTES) throw new RangeError(`it has more than ${MOST_BYTES} bytes`);
    this.#names.add(name);
    this.entries.push(entry);
    return header;
  }

  /** What follows the last member. */
  index(): Buffer {
    const end = Buffer.alloc(END.bytes);
    end.writeUInt32LE(END.signature);
    // This disk and all: the format allows for several.
    end.writeUInt16LE(this.entries.length, 8);
    end.writeUInt16LE(this.entries.length, 10);
    end.writeUInt32LE(this.#indexBytes - END.bytes, END.indexBytes);
    end.writeUInt32LE(this.#at, 16);
    return Buffer.concat([...this.entries.map(indexOf), end]);
  }
}

const shown = (name: string) => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);

/** Whether a pack may hold a member of this name: not what leads out of the folder that it is unpacked into, or what UTF-8 does not give back. */
export const mayBeNamed = (name: string) =>
  !hasUnusableCharacters(name) &&
  !name.split('/').some((part) => part === '' || part === '.' || part === '..') &&
  Buffer.byteLength(name) <= MOST_NAME_BYTES;

function headerOf({ name, size, crc }: Entry): Buffer {
  const fields = Buffer.alloc(HEADER.bytes);
  fields.writeUInt32LE(HEADER.signature);
  writeCommon(fields, 4);
  return withName(fields, HEADER, { name, size, crc });
}

function indexOf({ name, size, crc, at }: Entry): Buffer {
  const fields = Buffer.alloc(INDEX.bytes);
  fields.writeUInt32LE(INDEX.signature);
  fields.writeUInt16LE(ATTRIBUTES.madeBy, 4);
  writeCommon(fields, 6);
  fields.writeUInt32LE(ATTRIBUTES.mode, 38);
  fields.writeUInt32LE(at, INDEX.at);
  return withName(fields, INDEX, { name, size, crc });
}

function writeCommon(fields: Buffer, at: number): void {
  fields.writeUInt16LE(COMMON.version, at);
  fields.writeUInt16LE(COMMON.utf8, at + 2);
  fields.writeUInt16LE(COMMON.date, at + 8);
}

function withName(fields: Buffer, places: typeof HEADER, { name, size, crc }: Omit<Entry, 'at'>): Buffer {
  const bytes = Buffer.from(name);
  fields.writeUInt32LE(crc, places.crc);
  // Compressed and not.
  fields.writeUInt32LE(size, places.size);
  fields.writeUInt32LE(size, places.size + 4);
  fields.writeUInt16LE(bytes.length, places.nameBytes);
  return Buffer.concat([fields, bytes]);
}

/** Bytes that come in chunks of any size, taken in any other. */
class Arriving {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** @throws RangeError when there are fewer. */
  async take(count: number, place = Buffer.allocUnsafe(count)): Promise<Buffer<ArrayBuffer>> {
    for (let at = 0; at < count;) {
      if (this.#rest.length === 0 && !(await this.#more())) throw new RangeError(CUT);
      const part = this.#rest.subarray(0, count - at);
      this.#rest = this.#rest.subarray(part.length);
      place.set(part, at);
      at += part.length;
    }
    return place;
  }

  async atEnd(): Promise<boolean> {
    while (this.#rest.length === 0) if (!(await this.#more())) return true;
    return false;
  }

  /** Lets go of a source whose end nobody waits for. */
  async stop(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#chunks.next();
    if (done === true) return false;
    this.#rest = value;
    return true;
  }
}
