import type { Picture, Size } from '../codec.js';
import { refuseHuge } from '../picture-file.js';

/**
 * Reads BMP files (Windows 1 to 5, OS/2 1 and 2): 1, 2, 4, 8, 16, 24 and 32 bits, palettes, bit fields and run lengths, from the bottom
 * or the top. The picture library reads none. 32 bits count as alpha only where the header names bits for it.
 */

interface Header extends Size {
  fromTop: boolean;
  bits: number;
  compression: number;
  /** Where the pixels begin. */
  pixels: number;
  /** Colours as red, green and blue. */
  palette: [number, number, number][];
  /** Bits of red, green, blue and alpha in a pixel of 16 or 32 bits. */
  masks: number[];
}

const RUN_LENGTHS_8 = 1;
const RUN_LENGTHS_4 = 2;
const BIT_FIELDS = [3, 6];
const KINDS: Record<number, string> = { 4: 'JPEG', 5: 'PNG' };

/** The size that a BMP's header claims. */
function bmpSize(bytes: Uint8Array): Size {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 26) throw new RangeError('it is cut off');
  // The height is negative where the rows come from the top.
  return file.readUInt32LE(14) === 12
    ? { width: file.readUInt16LE(18), height: file.readUInt16LE(20) }
    : { width: file.readInt32LE(18), height: Math.abs(file.readInt32LE(22)) };
}

/** @throws RangeError with a clause that says what is wrong with the file. */
export function readBmp(bytes: Uint8Array): Picture {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(file);
  const { width, height, compression, bits } = header;
  refuseHuge(header);
  const data = new Uint8Array(width * height * 3);
  if (compression === RUN_LENGTHS_8 || compression === RUN_LENGTHS_4) readRuns(file, header, data);
  else if (bits <= 8) readIndices(file, header, data);
  else if (bits === 24) readTriples(file, header, data);
  else readFields(file, header, data);
  return { width, height, data };
}

function readHeader(file: Buffer): Header {
  const size = bmpSize(file);
  if (size.width <= 0 || size.height <= 0) throw new RangeError(`it claims ${size.width}x${size.height} pixels`);
  const length = file.readUInt32LE(14);
  const isOld = length === 12;
  if (14 + length > file.length || (!isOld && length < 16)) throw new RangeError('it is cut off');
  const bits = file.readUInt16LE(isOld ? 24 : 28);
  const compression = length >= 20 ? file.readUInt32LE(30) : 0;
  const isRuns = (compression === RUN_LENGTHS_8 && bits === 8) || (compression === RUN_LENGTHS_4 && bits === 4);
  const isFields = BIT_FIELDS.includes(compression) && (bits === 16 || bits === 32);
  if (![1, 2, 4, 8, 16, 24, 32].includes(bits) || !(compression === 0 || isRuns || isFields))
    throw new RangeError(
      `it is a BMP with ${KINDS[compression] ?? 'pixels of a kind'} that cannot be read (${bits} bits, compression ${compression})`,
    );
  const masksBehind = isFields && length < 52;
  const maskCount = compression === 6 || length >= 56 ? 4 : 3;
  const afterHeader = 14 + length + (masksBehind ? 4 * maskCount : 0);
  if (afterHeader > file.length) throw new RangeError('it is cut off');
  const masks = isFields
    ? Array.from({ length: maskCount }, (_, index) => file.readUInt32LE(54 + 4 * index))
    : bits === 16
      ? [0x7c00, 0x03e0, 0x001f]
      : [0xff0000, 0xff00, 0xff];
  const pixels = file.readUInt32LE(10);
  const entry = isOld ? 3 : 4;
  const named = length >= 36 ? file.readUInt32LE(46) : 0;
  const room = Math.floor((Math.min(pixels, file.length) - afterHeader) / entry);
  const colours = bits > 8 ? 0 : Math.max(0, Math.min(named > 0 ? named : 2 ** bits, 2 ** bits, room));
  const palette = Array.from({ length: colours }, (_, index): [number, number, number] => {
    const at = afterHeader + index * entry;
    return [file[at + 2] ?? 0, file[at + 1] ?? 0, file[at] ?? 0];
  });
  const fromTop = !isOld && file.readInt32LE(22) < 0;
  return { ...size, fromTop, bits, compression, pixels, palette, masks };
}

/** Where each row of the picture begins in the file; all rows are there. */
function rowsOf(file: Buffer, { width, height, bits, pixels, fromTop }: Header): (y: number) => number {
  const stride = Math.ceil((width * bits) / 32) * 4;
  // Some programs leave out what fills up the last row.
  if (pixels + stride * (height - 1) + Math.ceil((width * bits) / 8) > file.length)
    throw new RangeError('it is cut off');
  return (y) => pixels + stride * (fromTop ? y : height - 1 - y);
}

function readTriples(file: Buffer, header: Header, data: Uint8Array): void {
  const rowAt = rowsOf(file, header);
  for (let y = 0, to = 0; y < header.height; y += 1) {
    for (let x = 0, from = rowAt(y); x < header.width; x += 1, from += 3, to += 3) {
      data[to] = file[from + 2] ?? 0;
      data[to + 1] = file[from + 1] ?? 0;
      data[to + 2] = file[from] ?? 0;
    }
  }
}

function readIndices(file: Buffer, header: Header, data: Uint8Array): void {
  const { width, height, bits } = header;
  const rowAt = rowsOf(file, header);
  const mask = 2 ** bits - 1;
  for (let y = 0; y < height; y += 1) {
    const row = rowAt(y);
    for (let x = 0; x < width; x += 1) {
      const bit = x * bits;
      paint(header, data, x, y, ((file[row + (bit >> 3)] ?? 0) >> (8 - bits - (bit & 7))) & mask);
    }
  }
}

function readFields(file: Buffer, header: Header, data: Uint8Array): void {
  const { width, height, bits, masks } = header;
  const rowAt = rowsOf(file, header);
  const [red = noField, green = noField, blue = noField, alpha = noField] = masks.map(fieldOf);
  const hasAlpha = (masks[3] ?? 0) !== 0;
  const step = bits / 8;
  for (let y = 0, to = 0; y < height; y += 1) {
    for (let x = 0, from = rowAt(y); x < width; x += 1, from += step, to += 3) {
      const pixel = bits === 16 ? file.readUInt16LE(from) : file.readUInt32LE(from);
      const share = hasAlpha ? alpha(pixel) / 255 : 1;
      data[to] = Math.round(red(pixel) * share);
      data[to + 1] = Math.round(green(pixel) * share);
      data[to + 2] = Math.round(blue(pixel) * share);
    }
  }
}

const noField = () => 0;

/** Takes the bits of a mask out of a pixel, spread to 0..255. */
function fieldOf(mask: number): (pixel: number) => number {
  if (mask === 0) return noField;
  const shift = 31 - Math.clz32(mask & -mask);
  const most = mask >>> shift;
  return (pixel) => Math.round((((pixel & mask) >>> shift) * 255) / most);
}

/** Run lengths: pairs of a count and a value; a count of 0 tells the end of a row or picture, a step, or pixels one by one. */
function readRuns(file: Buffer, header: Header, data: Uint8Array): void {
  const { width, height, bits, fromTop } = header;
  // Pixels that are stepped over have the first colour.
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) paint(header, data, x, y, 0);
  let x = 0;
  let y = 0;
  const put = (index: number) => {
    if (x < width && y < height) paint(header, data, x, fromTop ? y : height - 1 - y, index);
    x += 1;
  };
  const indexIn = (byte: number, odd: boolean) => (bits === 8 ? byte : odd ? byte & 15 : byte >> 4);
  for (let at = header.pixels; ; at += 2) {
    const [count, value] = [file[at], file[at + 1]];
    if (count === undefined || value === undefined) {
      if (y >= height - 1 && x >= width) return;
      throw new RangeError('it is cut off');
    }
    if (count > 0) for (let index = 0; index < count; index += 1) put(indexIn(value, index % 2 === 1));
    else if (value === 0) {
      x = 0;
      y += 1;
    } else if (value === 1) return;
    else if (value === 2) {
      x += file[at + 2] ?? 0;
      y += file[at + 3] ?? 0;
      at += 2;
    } else {
      const length = bits === 8 ? value : Math.ceil(value / 2);
      if (at + 2 + length > file.length) throw new RangeError('it is cut off');
      for (let index = 0; index < value; index += 1)
        put(indexIn(file[at + 2 + (bits === 8 ? index : index >> 1)] ?? 0, index % 2 === 1));
      at += length + (length & 1);
    }
    if (y > height || (y === height && x > 0)) throw new RangeError('its pixels are damaged');
  }
}

function paint({ width, palette }: Header, data: Uint8Array, x: number, y: number, index: number): void {
  const colour = palette[index];
  if (colour === undefined)
    throw new RangeError('its pixels are damaged: they name a colour that its palette does not have');
  data.set(colour, (y * width + x) * 3);
}
