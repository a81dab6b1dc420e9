import { crc32 } from 'node:zlib';
import type { PictureKind } from '../../../job/items/formats.js';
import { readOrientation } from '../../../job/items/picture-size.js';

/**
 * The same picture without what does not decide its pixels: of its metadata only the orientation and the colour profile are left. The
 * picture library reads all metadata of a file before its pixels, and some files make it do so for minutes: EXIF directories that
 * lead back to themselves, texts that unpack to gigabytes. Other kinds than JPEG, PNG and WebP stay as they are.
 */
export function withoutMetadata(bytes: Uint8Array, kind: PictureKind): Uint8Array {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (kind === 'jpeg') return cleanJpeg(file);
  if (kind === 'png') return cleanPng(file);
  if (kind === 'webp') return cleanWebp(file);
  return bytes;
}

// JPEG: ITU-T T.81, annex B

/** Segments that are needed: frames and tables, and three of the applications' own. */
const isNeeded = (marker: number) => marker >= 0xc0 && marker <= 0xdf;
const JFIF = /^JFIF\0/;
const PROFILE = /^ICC_PROFILE\0/;
const ADOBE = /^Adobe/;
const EXIF = /^Exif\0[^]/;

function cleanJpeg(file: Buffer): Buffer {
  const parts = [file.subarray(0, 2)];
  let orientation = 1;
  let at = 2;
  while (at + 4 <= file.length) {
    const marker = file[at] === 0xff ? (file[at + 1] ?? 0) : 0xff;
    if (marker === 0xff || marker <= 0x01) {
      // Bytes that fill up, or that have no business here.
      at += 1;
      continue;
    }
    const length = file.readUInt16BE(at + 2);
    if (marker === 0xda || marker === 0xd9 || length < 2 || at + 2 + length > file.length) break;
    const segment = file.subarray(at, at + 2 + length);
    const name = segment.toString('latin1', 4, 16);
    if (marker === 0xe1 && EXIF.test(name) && orientation === 1) orientation = readOrientation(segment.subarray(10));
    else if (
      isNeeded(marker) ||
      (marker === 0xe0 && JFIF.test(name)) ||
      (marker === 0xe2 && PROFILE.test(name)) ||
      (marker === 0xee && ADOBE.test(name))
    )
      parts.push(segment);
    at += 2 + length;
  }
  if (orientation > 1) {
    const exif = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), writeOrientation(orientation)]);
    const header = Buffer.from([0xff, 0xe1, 0, 2 + exif.length]);
    parts.splice(1, 0, header, exif);
  }
  return Buffer.concat([...parts, file.subarray(at)]);
}

// PNG, third edition

const PIXEL_CHUNKS = new Set(['IHDR', 'PLTE', 'IDAT', 'IEND', 'tRNS', 'iCCP', 'sRGB', 'gAMA', 'cHRM', 'cICP', 'sBIT']);
const isOptional = (type: string) => /^[a-z]/.test(type);

function cleanPng(file: Buffer): Buffer {
  const parts = [file.subarray(0, 8)];
  let orientation = 1;
  let pixels = -1;
  let at = 8;
  while (at + 12 <= file.length) {
    const end = at + 12 + file.readUInt32BE(at);
    if (end > file.length) break;
    const type = file.toString('latin1', at + 4, at + 8);
    if (type === 'eXIf') orientation = readOrientation(file.subarray(at + 8, end - 4));
    else if (PIXEL_CHUNKS.has(type) || !isOptional(type)) {
      if (type === 'IDAT' && pixels === -1) pixels = parts.length;
      parts.push(file.subarray(at, end));
    }
    at = end;
  }
  if (orientation > 1 && pixels !== -1) parts.splice(pixels, 0, pngChunk('eXIf', writeOrientation(orientation)));
  return Buffer.concat([...parts, file.subarray(at)]);
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(data.length, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}

// WebP: RFC 9649

const HAS_EXIF = 0x08;
const HAS_XMP = 0x04;

function cleanWebp(file: Buffer): Buffer {
  const parts: Buffer[] = [];
  let orientation = 1;
  let at = 12;
  while (at + 8 <= file.length) {
    const length = file.readUInt32LE(at + 4);
    const end = at + 8 + length + (length & 1);
    if (end > file.length) break;
    const type = file.toString('latin1', at, at + 4);
    const data = file.subarray(at + 8, at + 8 + length);
    if (type === 'EXIF')
      orientation = readOrientation(EXIF.test(data.toString('latin1', 0, 6)) ? data.subarray(6) : data);
    else if (type !== 'XMP ') parts.push(file.subarray(at, end));
    at = end;
  }
  const [first] = parts;
  if (first === undefined || first.toString('latin1', 0, 4) !== 'VP8X' || first.length < 18) return file;
  const header = Buffer.from(first);
  header[8] = ((header[8] ?? 0) & ~(HAS_EXIF | HAS_XMP)) | (orientation > 1 ? HAS_EXIF : 0);
  parts[0] = header;
  if (orientation > 1) {
    const exif = writeOrientation(orientation);
    const start = Buffer.from('EXIF\0\0\0\0', 'latin1');
    start.writeUInt32LE(exif.length, 4);
    parts.push(start, exif);
  }
  const body = Buffer.concat([...parts, file.subarray(at)]);
  const riff = Buffer.from(file.subarray(0, 12));
  // A file that ends before the length it claims still does.
  riff.writeUInt32LE(Math.max(0, riff.readUInt32LE(4) + body.length + 12 - file.length), 4);
  return Buffer.concat([riff, body]);
}

// EXIF 2.3

const ORIENTATION = 0x0112;
const SHORT = 3;

/** EXIF data that holds an orientation and nothing else. */
function writeOrientation(orientation: number): Buffer {
  const exif = Buffer.alloc(26);
  exif.write('II*\0\b\0\0\0\x01\0', 0, 'latin1');
  exif.writeUInt16LE(ORIENTATION, 10);
  exif.writeUInt16LE(SHORT, 12);
  exif.writeUInt32LE(1, 14);
  exif.writeUInt16LE(orientation, 18);
  return exif;
}
