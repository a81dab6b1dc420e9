import { JobError, messageOf } from '../../job/failure.js';
import { PICTURE_KINDS, pictureKind, type PictureKind } from '../../job/formats.js';
import type { Size } from './codec.js';

/** Larger pictures are refused before their pixels are allocated. */
export const PIXEL_LIMIT = 100_000_000;

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const HEADER_BYTES = 29;
/** Chunks that do not change how the pixels read as 8-bit RGB. Chunks that do may also follow the pixels. */
const HARMLESS = new Set(['IHDR', 'IDAT', 'pHYs', 'sRGB', 'cHRM', 'gAMA', 'cICP', 'tEXt', 'tIME']);

/** The size that a PNG file's header claims; undefined for other files. */
export function pngSize(bytes: Uint8Array): Size | undefined {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, HEADER_BYTES));
  if (header.length < 24 || !header.subarray(0, 8).equals(SIGNATURE)) return undefined;
  return { width: header.readUInt32BE(16), height: header.readUInt32BE(20) };
}

/**
 * Whether this is a PNG whose pixels are 8-bit RGB as they are, like those that FFmpeg writes: without palette, transparency,
 * rotation or colour profile.
 */
export function isPlainPng(bytes: Uint8Array): boolean {
  if (pngSize(bytes) === undefined) return false;
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Bit depth, colour type (2: RGB), compression, filter, interlace.
  if (!file.subarray(24, HEADER_BYTES).equals(Buffer.from([8, 2, 0, 0, 0]))) return false;
  for (let at = 8; at + 8 <= file.length; at += 12 + file.readUInt32BE(at)) {
    const type = file.toString('latin1', at + 4, at + 8);
    if (type === 'IEND') return true;
    if (!HARMLESS.has(type)) return false;
  }
  return false;
}

/** @throws RangeError when the bytes are no picture of a known kind. */
export function kindOf(bytes: Uint8Array): PictureKind {
  const kind = pictureKind(bytes);
  if (kind === undefined) throw new RangeError(`it is no ${PICTURE_KINDS}`);
  return kind;
}

/** The item failure for bytes that a codec could not read. */
export function unreadable(bytes: Uint8Array, cause: unknown): JobError {
  if (bytes.byteLength === 0) return new JobError('item', 'the picture file is empty', { cause });
  return new JobError('item', `the picture cannot be read: ${messageOf(cause).slice(0, 200)}`, { cause });
}
