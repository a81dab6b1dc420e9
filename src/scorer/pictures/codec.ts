import { JobError, messageOf } from '../../job/failure.js';
import { PICTURE_KINDS, type PictureKind, pictureKind } from '../../job/picture-kind.js';
import type { Picture, Size } from './picture.js';

/** `png` is lossless; `jpg` is JPEG at quality 95. */
export type PictureFormat = 'png' | 'jpg';

/** Larger pictures are refused before their pixels are allocated. */
export const PIXEL_LIMIT = 100_000_000;

/**
 * Pictures from bytes and back. Decoding turns everything into 8-bit RGB: EXIF rotation applied, grey and palette spread
 * to three channels, 16 bits cut to 8, transparent pixels over black, the first picture of several.
 */
export interface Codec {
  readonly name: 'sharp' | 'jimp';
  /** @throws JobError `item`: no picture this codec can read, or one of more than `PIXEL_LIMIT` pixels. */
  decode(bytes: Uint8Array): Promise<Picture>;
  encode(picture: Picture, format: PictureFormat): Promise<Buffer>;
  /** One byte a pixel as a grey PNG, bit by bit. */
  encodeMask(mask: Picture): Promise<Buffer>;
  /** The whole picture at another size, proportions not kept. */
  resize(picture: Picture, size: Size): Promise<Picture>;
}

/**
 * The codec to use: sharp, or jimp where sharp's native library is missing or does not load.
 * @param warn is told in one sentence why sharp is not used.
 * @throws JobError `user`: the one that was asked for does not load.
 */
export async function loadCodec(
  wanted: 'auto' | 'sharp' | 'jimp',
  warn: (sentence: string) => void,
  loadSharp: () => Promise<Codec> = sharpCodec,
): Promise<Codec> {
  if (wanted === 'jimp') return jimpCodec();
  try {
    return await loadSharp();
  } catch (cause) {
    const reason = messageOf(cause).slice(0, 200);
    if (wanted === 'sharp') throw new JobError('user', `The picture library sharp does not load: ${reason}`, { cause });
    warn(`sharp does not load, jimp is used instead and is slower: ${reason}`);
    return jimpCodec();
  }
}

async function sharpCodec(): Promise<Codec> {
  const { createSharpCodec } = await import('./sharp-codec.js');
  return createSharpCodec();
}

async function jimpCodec(): Promise<Codec> {
  const { createJimpCodec } = await import('./jimp-codec.js');
  return createJimpCodec();
}

/** The format that an output's name asks for; PNG for any extension but those of JPEG. */
export function formatOf(blobName: string): PictureFormat {
  return /\.jpe?g$/i.test(blobName) ? 'jpg' : 'png';
}

export function contentTypeOf(format: PictureFormat): string {
  return format === 'jpg' ? 'image/jpeg' : 'image/png';
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
