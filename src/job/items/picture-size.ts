import { pictureKind } from './formats.js';

/** Pixels of a picture as it is shown, upright. */
export interface PictureSize {
  width: number;
  height: number;
}

/**
 * The size that a picture file says of itself; `more` when these bytes do not reach far enough into the file; undefined when it says none.
 * @param bytes from its start.
 */
export function pictureSize(bytes: Uint8Array): PictureSize | 'more' | undefined {
  const kind = pictureKind(bytes);
  if (kind === undefined) return undefined;
  try {
    const size = READERS[kind](viewOf(bytes));
    return size === undefined || size === 'more' || (size.width > 0 && size.height > 0) ? size : undefined;
  } catch (error) {
    // Read past the end of the bytes.
    if (error instanceof RangeError) return 'more';
    throw error;
  }
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array) => new DataView(buffer, byteOffset, byteLength);

type Reader = (file: DataView) => PictureSize | 'more' | undefined;

const text = (file: DataView, at: number, length: number) =>
  String.fromCharCode(...Array.from({ length }, (_, k) => file.getUint8(at + k)));

const upright = (width: number, height: number, orientation: number): PictureSize =>
  orientation >= 5 ? { width: height, height: width } : { width, height };

const READERS: Record<NonNullable<ReturnType<typeof pictureKind>>, Reader> = {
  jpeg: readJpeg,
  png: readPng,
  webp: readWebp,
  gif: (file) => ({ width: file.getUint16(6, true), height: file.getUint16(8, true) }),
  bmp: readBmp,
  tiff: readTiff,
  avif: readAvif,
};

/** ITU-T T.81, annex B. */
function readJpeg(file: DataView): PictureSize | undefined {
  let orientation = 1;
  for (let at = 2; ;) {
    const marker = file.getUint8(at) === 0xff ? file.getUint8(at + 1) : 0xff;
    if (marker === 0xff || marker <= 0x01) {
      at += 1;
      continue;
    }
    if (marker === 0xd9 || marker === 0xda) return undefined;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return upright(file.getUint16(at + 7), file.getUint16(at + 5), orientation);
    const length = file.getUint16(at + 2);
    if (length < 2) return undefined;
    if (marker === 0xe1 && length >= 8 && text(file, at + 4, 5) === 'Exif\0')
      orientation = readOrientation(partOf(file, at + 10, length - 8));
    at += 2 + length;
  }
}

/** @throws RangeError when the file does not reach so far. */
function partOf({ buffer, byteOffset, byteLength }: DataView, at: number, length: number): Uint8Array {
  if (at + length > byteLength) throw new RangeError('the file is longer than these bytes');
  return new Uint8Array(buffer, byteOffset + at, length);
}

/** Its orientation, if any, stands before its pixels. */
function readPng(file: DataView): PictureSize {
  const [width, height] = [file.getUint32(16), file.getUint32(20)];
  for (let at = 33; ; at += 12 + file.getUint32(at)) {
    const type = text(file, at + 4, 4);
    if (type === 'eXIf') return upright(width, height, readOrientation(partOf(file, at + 8, file.getUint32(at))));
    if (type === 'IDAT' || type === 'IEND') return { width, height };
  }
}

const HAS_EXIF = 0x08;

/** RFC 9649 and, for the two kinds of pixels, RFC 6386 and the bitstream of lossless WebP. */
function readWebp(file: DataView): PictureSize | undefined {
  const type = text(file, 12, 4);
  if (type === 'VP8 ') return { width: file.getUint16(26, true) & 0x3fff, height: file.getUint16(28, true) & 0x3fff };
  if (type === 'VP8L') {
    const bits = file.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (type !== 'VP8X') return undefined;
  const three = (at: number) => file.getUint16(at, true) + file.getUint8(at + 2) * 0x1_0000 + 1;
  const [width, height] = [three(24), three(27)];
  if ((file.getUint8(20) & HAS_EXIF) === 0) return { width, height };
  for (let at = 30; ;) {
    const length = file.getUint32(at + 4, true);
    if (text(file, at, 4) === 'EXIF') {
      const skip = length >= 6 && text(file, at + 8, 5) === 'Exif\0' ? 6 : 0;
      return upright(width, height, readOrientation(partOf(file, at + 8 + skip, length - skip)));
    }
    at += 8 + length + (length & 1);
  }
}

const OLD_BMP_HEADER = 12;

function readBmp(file: DataView): PictureSize {
  if (file.getUint32(14, true) === OLD_BMP_HEADER)
    return { width: file.getUint16(18, true), height: file.getUint16(20, true) };
  // A negative height means that the rows come from the top.
  return { width: file.getInt32(18, true), height: Math.abs(file.getInt32(22, true)) };
}

const WIDTH = 0x0100;
const HEIGHT = 0x0101;
const ORIENTATION = 0x0112;

/** TIFF 6.0; BigTIFF, which has other directories, says nothing here. */
function readTiff(file: DataView): PictureSize | undefined {
  const tags = readDirectory(file);
  const [width, height] = [tags?.get(WIDTH), tags?.get(HEIGHT)];
  if (width === undefined || height === undefined) return undefined;
  return upright(width, height, tags?.get(ORIENTATION) ?? 1);
}

const SHORT = 3;
const LONG = 4;

/** The numbers of the first directory. @throws RangeError where it lies behind the bytes. */
function readDirectory(data: DataView): Map<number, number> | undefined {
  const order = text(data, 0, 2);
  const little = order === 'II';
  if ((!little && order !== 'MM') || data.getUint16(2, little) !== 42) return undefined;
  const directory = data.getUint32(4, little);
  const tags = new Map<number, number>();
  for (let left = data.getUint16(directory, little), at = directory + 2; left > 0; left -= 1, at += 12) {
    const type = data.getUint16(at + 2, little);
    const value = type === SHORT ? data.getUint16(at + 8, little) : data.getUint32(at + 8, little);
    if (type === SHORT || type === LONG) tags.set(data.getUint16(at, little), value);
  }
  return tags;
}

/** The orientation in EXIF data (EXIF 2.3), 1 to 8; 1, upright, where there is none. Looks at the first directory alone. */
export function readOrientation(exif: Uint8Array): number {
  if (exif.length < 14) return 1;
  const data = viewOf(exif);
  const order = text(data, 0, 2);
  const little = order === 'II';
  const directory = data.getUint32(4, little);
  if ((!little && order !== 'MM') || directory + 2 > exif.length) return 1;
  const count = Math.min(data.getUint16(directory, little), Math.floor((exif.length - directory - 2) / 12));
  for (let entry = directory + 2; entry < directory + 2 + count * 12; entry += 12) {
    if (data.getUint16(entry, little) !== ORIENTATION || data.getUint16(entry + 2, little) !== SHORT) continue;
    const orientation = data.getUint16(entry + 8, little);
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
  }
  return 1;
}

/** ISO/IEC 23008-12: the largest of the sizes in the properties of its pictures, which is that of the whole one. */
function readAvif(file: DataView): PictureSize | 'more' | undefined {
  const meta = findBox(file, 0, file.byteLength, 'meta');
  if (!meta) return 'more';
  const properties = findBox(file, meta.at + 4, meta.end, 'iprp');
  const list = properties && findBox(file, properties.at, properties.end, 'ipco');
  if (!list) return undefined;
  let size: PictureSize | undefined;
  let turned = false;
  for (let at = list.at; at < list.end;) {
    const box = boxAt(file, at);
    if (box.type === 'ispe') {
      const [width, height] = [file.getUint32(box.at + 4), file.getUint32(box.at + 8)];
      if (!size || width * height > size.width * size.height) size = { width, height };
    }
    if (box.type === 'irot') turned = file.getUint8(box.at) % 2 === 1;
    at = box.end;
  }
  return size && upright(size.width, size.height, turned ? 6 : 1);
}

interface Box {
  type: string;
  /** Where its content begins and ends. */
  at: number;
  end: number;
}

function boxAt(file: DataView, at: number): Box {
  const length = file.getUint32(at);
  if (length < 8) throw new RangeError('no box');
  return { type: text(file, at + 4, 4), at: at + 8, end: at + length };
}

function findBox(file: DataView, from: number, end: number, type: string): Box | undefined {
  for (let at = from; at + 8 <= end;) {
    const box = boxAt(file, at);
    if (box.type === type) return box;
    at = box.end;
  }
  return undefined;
}
