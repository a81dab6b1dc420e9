import { JobError, messageOf } from '../../job/failure.js';
import { otherKind, PICTURE_KINDS, pictureKind, type PictureKind } from '../../job/items/formats.js';
import { PIXEL_LIMIT, type Size } from './codec.js';

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

/** @throws RangeError when the bytes are no picture of a known kind, with a clause that says what they are. */
export function kindOf(bytes: Uint8Array): PictureKind {
  const kind = pictureKind(bytes);
  if (kind !== undefined) return kind;
  const other = otherKind(bytes);
  throw new RangeError(`it is no ${PICTURE_KINDS}${other === undefined ? '' : `, but ${other.one}; ${other.advice}`}`);
}

/** @throws RangeError when a picture of this size is not to be decoded. */
export function refuseHuge({ width, height }: Size): void {
  if (width * height > PIXEL_LIMIT) throw new RangeError(TOO_LARGE);
}

/** @throws RangeError where something is wrong, with the clause that says what. */
export function refuseDamaged(damage: string | undefined): void {
  if (damage !== undefined) throw new RangeError(damage);
}

const TOO_LARGE = `it has more than ${PIXEL_LIMIT / 1e6} million pixels`;

/** The item failure for bytes that could not be read: what is wrong, in plain words; the library's own are in the cause. */
export function unreadable(bytes: Uint8Array, cause: unknown): JobError {
  if (bytes.byteLength === 0) return new JobError('item', 'the picture file is empty', { cause });
  if (cause instanceof JobError) return cause;
  const said = messageOf(cause);
  return new JobError(
    'item',
    `the picture cannot be read: ${cause instanceof RangeError ? said : inPlainWords(said)}`,
    {
      cause,
    },
  );
}

/** What the picture libraries say, by what it means for the file. */
const MEANINGS: [RegExp, string][] = [
  [/pixel limit|maxResolutionInMP|maxMemoryUsageInMB|too large/i, TOO_LARGE],
  [
    /premature|truncated|end of (?:file|stream|input|data)|not enough|unexpected eof|out of data|short/i,
    'it is cut off',
  ],
  [
    /unsupported|not supported|not configured|no known route|not a whole number/i,
    'it is of a kind that cannot be read',
  ],
];

function inPlainWords(said: string): string {
  return MEANINGS.find(([words]) => words.test(said))?.[1] ?? 'it is damaged';
}
