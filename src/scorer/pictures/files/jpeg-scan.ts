import { PIXEL_LIMIT } from '../codec.js';

/**
 * Finds damage inside the scans of a JPEG. Its pixels have no checksum, and libjpeg puts up with most of what a few wrong bytes
 * lead to: it loses the place, and paints the rest of the picture grey or shifted. So the Huffman codes are read here once more,
 * as ITU-T T.81 defines them, without computing any pixel: codes that do not exist, coefficients beyond the 64th of a block,
 * scans that end before or after their last block, and pictures whose scans are not all there.
 */

interface HuffmanTable {
  /** For each start of `FAST_BITS` bits: the length of the code in the upper byte, its value in the lower; 0 for longer codes. */
  fast: Uint16Array;
  /** The same for coefficients of one scan: bits of the code and of what follows it, and above them how far it goes in the block. */
  steps: Uint16Array;
  /** By length of a code: the largest code, -1 where there is none, and what to add to a code for its place in `values`. */
  largest: Int32Array;
  offsets: Int32Array;
  values: Uint8Array;
}

interface Component {
  id: number;
  /** Blocks of a whole unit each way. */
  across: number;
  down: number;
  /** Blocks that show something of the picture, for scans of this component alone. */
  columns: number;
  rows: number;
  /** Blocks in a row, those that only fill up units included. */
  stride: number;
  /** The first coefficient of the block before, and what it is multiplied by. */
  dc: number;
  step: number;
  /** Number of the quantization table that has this step. */
  quantization: number;
  /** For each coefficient how many of its lower bits are still to come; -1 before its first scan. */
  bitsToCome: Int8Array;
  /** Progressive pictures: one bit for each coefficient, two numbers a block, set where it is not 0. */
  present: Uint32Array;
}

interface Frame {
  progressive: boolean;
  components: Component[];
  unitsAcross: number;
  unitsDown: number;
}

interface Scan {
  parts: { component: Component; dc: HuffmanTable | undefined; ac: HuffmanTable | undefined }[];
  /** First and last coefficient. */
  first: number;
  last: number;
  /** Successive approximation: lower bits that came before this scan (0: none did) and that come after it. */
  before: number;
  after: number;
  /** Units between restart markers; 0: there are none. */
  interval: number;
}

const FAST_BITS = 10;
/** T.81, A.3.3, for samples of 8 bits, and a little for encoders that round. */
const LARGEST_DC = 1024 + 16;
/** T.81, F.1.2: bits of a coefficient, for samples of 8 bits. */
const MOST_DC_BITS = 11;
const MOST_AC_BITS = 10;
/** Real pictures have about ten; each costs time in proportion to the picture. */
const MOST_SCANS = 100;

class Damage extends Error {}

/**
 * What is wrong with the scans of a JPEG, as a clause; undefined when nothing is, or when they are of a kind that is not looked into:
 * arithmetic coding, lossless, more than 8 bits or `PIXEL_LIMIT` pixels, tables that the file leaves out.
 */
export function jpegDamage(bytes: Uint8Array): string | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    checkFile(file);
    return undefined;
  } catch (error) {
    if (error instanceof Damage) return error.message;
    throw error;
  }
}

function checkFile(file: Buffer): void {
  const tables = new Map<number, HuffmanTable>();
  const steps = new Map<number, number>();
  let frame: Frame | undefined;
  let interval = 0;
  let scans = 0;
  for (let at = 2; at + 4 <= file.length;) {
    if (file[at] !== 0xff || file[at + 1] === 0xff || isAlone(file[at + 1] ?? 0)) {
      at += file[at] !== 0xff || file[at + 1] === 0xff ? 1 : 2;
      continue;
    }
    const marker = file[at + 1] ?? 0;
    if (marker === END) break;
    const segment = file.subarray(at + 4, at + 2 + file.readUInt16BE(at + 2));
    at += 2 + Math.max(file.readUInt16BE(at + 2), 2);
    if (marker === 0xc4) readTables(segment, tables);
    else if (marker === 0xdb) readSteps(segment, steps);
    else if (marker === 0xdd) interval = segment.length >= 2 ? segment.readUInt16BE(0) : 0;
    else if (isFrame(marker)) {
      frame = marker <= 0xc2 ? readFrame(segment, marker === 0xc2) : undefined;
      if (frame === undefined) return;
    } else if (marker === 0xda) {
      const scan = frame && readScan(segment, frame, tables, interval);
      if (frame === undefined || scan === undefined) return;
      scans += 1;
      for (const { component } of scan.parts) {
        component.step ||= steps.get(component.quantization) ?? 0;
        component.dc = 0;
      }
      if (scans > MOST_SCANS) throw new Damage(`it has more than ${MOST_SCANS} scans`);
      at = new ScanReader(file, at, frame, scan).read();
    }
  }
  if (frame !== undefined && scans > 0 && frame.components.some(isIncomplete))
    throw new Damage('some of its scans are missing');
}

const END = 0xd9;
/** Markers without a length. */
const isAlone = (marker: number) => marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8);
const isFrame = (marker: number) =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
const isIncomplete = ({ bitsToCome }: Component) => bitsToCome.some((bits) => bits !== 0);

/** What the first coefficient is multiplied by, for each quantization table. */
function readSteps(segment: Buffer, steps: Map<number, number>): void {
  for (let at = 0; at + 65 <= segment.length;) {
    const kind = segment[at] ?? 0;
    const isWide = kind >> 4 > 0;
    steps.set(kind & 15, isWide ? segment.readUInt16BE(at + 1) : (segment[at + 1] ?? 0));
    at += isWide ? 129 : 65;
  }
}

function readTables(segment: Buffer, tables: Map<number, HuffmanTable>): void {
  for (let at = 0; at + 17 <= segment.length;) {
    const counts = segment.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    tables.set(segment[at] ?? 0, buildTable(counts, segment.subarray(at + 17, at + 17 + total)));
    at += 17 + total;
  }
}

/** Canonical codes: T.81, annex C. */
function buildTable(counts: Uint8Array, values: Uint8Array): HuffmanTable {
  const table = {
    fast: new Uint16Array(1 << FAST_BITS),
    steps: new Uint16Array(1 << FAST_BITS),
    largest: new Int32Array(17).fill(-1),
    offsets: new Int32Array(17),
    values,
  };
  let code = 0;
  let place = 0;
  for (let length = 1; length <= 16; length += 1, code <<= 1) {
    const count = counts[length - 1] ?? 0;
    table.offsets[length] = place - code;
    for (let index = 0; index < count; index += 1, code += 1, place += 1) {
      if (length > FAST_BITS) continue;
      const from = code << (FAST_BITS - length);
      const to = from + (1 << (FAST_BITS - length));
      const value = values[place] ?? 0;
      table.fast.fill((length << 8) | value, from, to);
      table.steps.fill((stepOf(value) << 8) | (length + (value & 15)), from, to);
    }
    if (count > 0) table.largest[length] = code - 1;
  }
  return table;
}

/** Steps that end a block, the one because nothing follows in it, the other because there is no such code. */
const END_OF_BLOCK = 128;
const NO_CODE = 255;

/** How many coefficients a code goes on: T.81, F.2.2.2. */
function stepOf(code: number): number {
  const size = code & 15;
  if (code === 0) return END_OF_BLOCK;
  return size > MOST_AC_BITS || (size === 0 && code !== 0xf0) ? NO_CODE : (code >> 4) + 1;
}

function readFrame(segment: Buffer, progressive: boolean): Frame | undefined {
  const [precision = 0, count = 0] = [segment[0], segment[5]];
  if (precision !== 8 || segment.length < 6 + 3 * count) return undefined;
  const [height, width] = [segment.readUInt16BE(1), segment.readUInt16BE(3)];
  // A height of 0 comes after the first scan.
  if (height === 0 || width === 0 || width * height > PIXEL_LIMIT || count === 0 || count > 4) return undefined;
  const samplings = Array.from({ length: count }, (_, index) => {
    const sampling = segment[6 + index * 3 + 1] ?? 0;
    const quantization = segment[6 + index * 3 + 2] ?? 0;
    return { id: segment[6 + index * 3] ?? 0, across: sampling >> 4, down: sampling & 15, quantization };
  });
  if (samplings.some(({ across, down }) => across < 1 || across > 4 || down < 1 || down > 4)) return undefined;
  const most = {
    across: Math.max(...samplings.map(({ across }) => across)),
    down: Math.max(...samplings.map(({ down }) => down)),
  };
  const unitsAcross = Math.ceil(width / (8 * most.across));
  const unitsDown = Math.ceil(height / (8 * most.down));
  const components = samplings.map(({ id, across, down, quantization }) => {
    const blocks = unitsAcross * across * unitsDown * down;
    return {
      id,
      across,
      down,
      columns: Math.ceil(Math.ceil((width * across) / most.across) / 8),
      rows: Math.ceil(Math.ceil((height * down) / most.down) / 8),
      stride: unitsAcross * across,
      dc: 0,
      step: 0,
      quantization,
      bitsToCome: new Int8Array(64).fill(-1),
      present: new Uint32Array(progressive ? 2 * blocks : 0),
    };
  });
  return { progressive, components, unitsAcross, unitsDown };
}

function readScan(
  segment: Buffer,
  frame: Frame,
  tables: Map<number, HuffmanTable>,
  interval: number,
): Scan | undefined {
  const count = segment[0] ?? 0;
  if (count < 1 || count > 4 || segment.length < 4 + 2 * count) return undefined;
  const [first = 0, last = 0, bits = 0] = segment.subarray(1 + 2 * count);
  const scan = frame.progressive
    ? { first, last, before: bits >> 4, after: bits & 15 }
    : { first: 0, last: 63, before: 0, after: 0 };
  if (scan.last > 63 || scan.first > scan.last || (frame.progressive && scan.first === 0 && scan.last !== 0))
    return undefined;
  const parts: Scan['parts'] = [];
  for (let index = 0; index < count; index += 1) {
    const [id, table = 0] = segment.subarray(1 + 2 * index, 3 + 2 * index);
    const component = frame.components.find((each) => each.id === id);
    if (component === undefined) return undefined;
    const dc = tables.get(table >> 4);
    const ac = tables.get(0x10 | (table & 15));
    if ((scan.first === 0 && scan.before === 0 && !dc) || (scan.last > 0 && !ac)) return undefined;
    parts.push({ component, dc, ac });
    component.bitsToCome.fill(scan.after, scan.first, scan.last + 1);
  }
  if (frame.progressive && scan.first > 0 && count > 1) return undefined;
  return { ...scan, parts, interval };
}

/** Reads one scan's bits. */
class ScanReader {
  /** Up to 32 bits of the file, the next one on top. */
  #bits = 0;
  #count = 0;
  /** How many of them were made up, because the file's had come to a marker. */
  #madeUp = 0;
  #blocksWithoutMore = 0;

  constructor(
    private readonly file: Buffer,
    private at: number,
    private readonly frame: Frame,
    private readonly scan: Scan,
  ) {}

  /** @returns where the next marker is. */
  read(): number {
    const units = this.#units();
    const interval = this.scan.interval || units;
    for (let unit = 0; unit < units; unit += interval) {
      if (unit > 0) this.#restart((unit / interval - 1) % 8);
      const end = Math.min(unit + interval, units);
      if (this.frame.progressive) for (let each = unit; each < end; each += 1) this.#readUnit(each);
      else this.#readWholeBlocks(end - unit);
    }
    this.#end();
    return this.at;
  }

  /**
   * Units whose blocks come in one scan. Nearly all JPEGs are like that, so this is written for speed: the bits are in local variables but
   * for the rare steps.
   */
  #readWholeBlocks(units: number): void {
    const { file } = this;
    const { parts } = this.scan;
    const blocks = parts.flatMap((part) => {
      const { across, down } = part.component;
      return Array.from({ length: parts.length === 1 ? 1 : across * down }, () => part);
    });
    let bits = this.#bits;
    let count = this.#count;
    let at = this.at;
    for (let unit = 0; unit < units; unit += 1) {
      for (let index = 0; index < blocks.length; index += 1) {
        const part = blocks[index];
        if (part?.dc === undefined || part.ac === undefined) return;
        const { steps } = part.ac;
        let table = part.dc.steps;
        let k = 0;
        while (k < 64) {
          while (count <= 24) {
            const byte = file[at] ?? 0xff;
            if (byte === 0xff) {
              this.#bits = bits;
              this.#count = count;
              this.at = at;
              this.#fill();
              bits = this.#bits;
              count = this.#count;
              at = this.at;
              break;
            }
            bits |= byte << (24 - count);
            count += 8;
            at += 1;
          }
          const step = k === 0 ? 0 : (table[bits >>> (32 - FAST_BITS)] ?? 0);
          if (step === 0) {
            this.#bits = bits;
            this.#count = count;
            this.at = at;
            if (k === 0) this.#readDc(part.dc, part.component);
            else {
              const code = this.#code(part.ac);
              this.#take(code & 15);
              k += stepOf(code) - 1;
            }
            table = steps;
            k += 1;
            bits = this.#bits;
            count = this.#count;
            at = this.at;
          } else {
            bits <<= step & 255;
            count -= step & 255;
            k += step >> 8;
          }
        }
        if (k > 64 && (k < END_OF_BLOCK || k > NO_CODE)) throw new Damage('its pixels are damaged');
      }
      if (this.#madeUp > count) throw new Damage('its pixels end too early');
    }
    this.#bits = bits;
    this.#count = count;
    this.at = at;
  }

  #units(): number {
    const [only, another] = this.scan.parts;
    if (only !== undefined && another === undefined) return only.component.columns * only.component.rows;
    return this.frame.unitsAcross * this.frame.unitsDown;
  }

  #readUnit(unit: number): void {
    if (this.#madeUp > this.#count) throw new Damage('its pixels end too early');
    const { parts } = this.scan;
    const [only, another] = parts;
    if (only !== undefined && another === undefined) {
      const { columns, stride } = only.component;
      this.#readBlock(only, Math.floor(unit / columns) * stride + (unit % columns));
      return;
    }
    const column = unit % this.frame.unitsAcross;
    const row = Math.floor(unit / this.frame.unitsAcross);
    for (const part of parts) {
      const { across, down, stride } = part.component;
      for (let y = 0; y < down; y += 1)
        for (let x = 0; x < across; x += 1) this.#readBlock(part, (row * down + y) * stride + column * across + x);
    }
  }

  #readBlock({ component, dc, ac }: Scan['parts'][number], block: number): void {
    const { first, last, before } = this.scan;
    if (first === 0) {
      if (before > 0) this.#take(1);
      else if (dc) this.#readDc(dc, component);
      if (last === 0) return;
    }
    if (!ac) return;
    if (before === 0) this.#readFirstAc(ac, component.present, block);
    else this.#readMoreAc(ac, component.present, block);
  }

  /** The brightness of a block is told as the difference to the block before: damage adds up until it is out of range. */
  #readDc(table: HuffmanTable, component: Component): void {
    const size = this.#code(table);
    if (size > MOST_DC_BITS) throw new Damage('its pixels are damaged');
    const bits = this.#take(size);
    component.dc += size > 0 && bits < 1 << (size - 1) ? bits - (1 << size) + 1 : bits;
    if (Math.abs(component.dc << this.scan.after) * component.step > LARGEST_DC + component.step)
      throw new Damage('its pixels are damaged');
  }

  #readFirstAc(table: HuffmanTable, present: Uint32Array, block: number): void {
    if (this.#blocksWithoutMore > 0) {
      this.#blocksWithoutMore -= 1;
      return;
    }
    const { first, last } = this.scan;
    for (let k = first; k <= last; k += 1) {
      const code = this.#code(table);
      const size = code & 15;
      const run = code >> 4;
      if (size === 0 && run < 15) {
        this.#blocksWithoutMore = (1 << run) - 1 + this.#take(run);
        return;
      }
      k += run;
      if (k > last || size > MOST_AC_BITS) throw new Damage('its pixels are damaged');
      if (size === 0) continue;
      this.#take(size);
      mark(present, block, k);
    }
  }

  /** T.81, G.1.2.3: coefficients that were not 0 before have a bit each between the codes. */
  #readMoreAc(table: HuffmanTable, present: Uint32Array, block: number): void {
    const { first, last } = this.scan;
    let k = first;
    while (this.#blocksWithoutMore === 0 && k <= last) {
      const code = this.#code(table);
      const size = code & 15;
      let run = code >> 4;
      if (size > 1) throw new Damage('its pixels are damaged');
      if (size === 0 && run < 15) {
        this.#blocksWithoutMore = (1 << run) + this.#take(run);
        break;
      }
      if (size === 1) this.#take(1);
      for (; k <= last; k += 1) {
        if (isMarked(present, block, k)) this.#take(1);
        else if (run === 0) break;
        else run -= 1;
      }
      if (k > last && (size === 1 || run > 0)) throw new Damage('its pixels are damaged');
      if (size === 1) mark(present, block, k);
      k += 1;
    }
    if (this.#blocksWithoutMore === 0) return;
    for (; k <= last; k += 1) if (isMarked(present, block, k)) this.#take(1);
    this.#blocksWithoutMore -= 1;
  }

  #fill(): void {
    const { file } = this;
    while (this.#count <= 24) {
      let byte = file[this.at] ?? 0xff;
      if (byte === 0xff) {
        if (file[this.at + 1] === 0) this.at += 1;
        else {
          byte = 0;
          this.#madeUp += 8;
          this.at -= 1;
        }
      }
      this.at += 1;
      this.#bits |= byte << (24 - this.#count);
      this.#count += 8;
    }
  }

  /** @returns the value of the next code. */
  #code({ fast, largest, offsets, values }: HuffmanTable): number {
    if (this.#count < 25) this.#fill();
    const entry = fast[this.#bits >>> (32 - FAST_BITS)] ?? 0;
    if (entry > 0) {
      this.#bits <<= entry >> 8;
      this.#count -= entry >> 8;
      return entry & 255;
    }
    for (let length = FAST_BITS + 1; length <= 16; length += 1) {
      const code = this.#bits >>> (32 - length);
      if (code > (largest[length] ?? -1)) continue;
      this.#bits <<= length;
      this.#count -= length;
      return values[code + (offsets[length] ?? 0)] ?? 0;
    }
    throw new Damage(this.#madeUp > 0 ? 'its pixels end too early' : 'its pixels are damaged');
  }

  /** @param bits 0 to 16. */
  #take(bits: number): number {
    if (bits === 0) return 0;
    if (this.#count < bits) this.#fill();
    const value = this.#bits >>> (32 - bits);
    this.#bits <<= bits;
    this.#count -= bits;
    return value;
  }

  #restart(number: number): void {
    this.#end();
    const marker = this.file[this.at + 1] ?? 0;
    if (marker !== 0xd0 + number) throw new Damage('its pixels are damaged');
    this.at += 2;
    this.#bits = 0;
    this.#count = 0;
    this.#madeUp = 0;
    this.#blocksWithoutMore = 0;
    for (const { component } of this.scan.parts) component.dc = 0;
  }

  /**
   * Goes on to the next marker, from behind the last bit. What lies before it must be the bits that fill the last byte, or bytes that
   * mean nothing.
   */
  #end(): void {
    if (this.#madeUp > this.#count) throw new Damage('its pixels end too early');
    if (this.#blocksWithoutMore > 0) throw new Damage('its pixels are damaged');
    const real = Math.max(this.#count - this.#madeUp, 0);
    const filling = this.#take(real & 7);
    const whole = Array.from({ length: real >> 3 }, () => this.#take(8));
    const from = this.at;
    this.at = nextMarker(this.file, from);
    const isFilled = filling === (1 << (real & 7)) - 1 || filling === 0;
    const [first, ...others] = [...whole, ...this.file.subarray(from, this.at)];
    if (!isFilled || others.some((byte) => byte !== first)) throw new Damage('its pixels are damaged');
  }
}

function mark(present: Uint32Array, block: number, k: number): void {
  const at = 2 * block + (k >> 5);
  present[at] = (present[at] ?? 0) | (1 << (k & 31));
}

function isMarked(present: Uint32Array, block: number, k: number): boolean {
  return ((present[2 * block + (k >> 5)] ?? 0) & (1 << (k & 31))) !== 0;
}

/** Where the next marker is, fill bytes before it included; the end of the file where there is none. */
function nextMarker(file: Buffer, from: number): number {
  for (let at = file.indexOf(0xff, from); at !== -1; at = file.indexOf(0xff, at + 1)) {
    const next = file[at + 1] ?? 0xff;
    if (next !== 0 && next !== 0xff) return at;
  }
  return file.length;
}
