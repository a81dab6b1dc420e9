import type { StoredPicture } from '../../../api/jobs.js';

/** Reads single pictures out of storage: a frame is often one of many in a ZIP file without compression, and as raw pixels. */

/** What of a ZIP file, read from its end, holds the index of a pack with up to a thousand members of short names. */
const TAIL_BYTES = 64 * 1024;
const END_BYTES = 22;
const END_SIGNATURE = 0x06054b50;
const ENTRY_BYTES = 46;
const HEADER_BYTES = 30;

interface Member {
  /** Of its bytes, from the start of the file. */
  from: number;
  bytes: number;
}

/** Where a member of a ZIP file is; undefined where the end of the file tells of none. @param tail the file's last bytes, of `bytes` in all. */
export function findMember(tail: Uint8Array, bytes: number, name: string): Member | undefined {
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  const end = tail.length - END_BYTES;
  if (end < 0 || view.getUint32(end, true) !== END_SIGNATURE) return undefined;
  const start = view.getUint32(end + 16, true) - (bytes - tail.length);
  if (start < 0) return undefined;
  const text = new TextDecoder();
  for (let at = start; at + ENTRY_BYTES <= end;) {
    const nameBytes = view.getUint16(at + 28, true);
    const found = text.decode(tail.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes));
    if (found === name)
      return { from: view.getUint32(at + 42, true) + HEADER_BYTES + nameBytes, bytes: view.getUint32(at + 20, true) };
    at += ENTRY_BYTES + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return undefined;
}

export interface Pixels {
  width: number;
  height: number;
  /** Red, green, blue and 255 of each. */
  data: Uint8ClampedArray<ArrayBuffer>;
}

/** The pixels of a binary PPM with 8 bits a channel. @throws RangeError when it is none. */
export function readPpm(bytes: Uint8Array): Pixels {
  const match = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(String.fromCharCode(...bytes.subarray(0, 64)));
  if (!match) throw new RangeError('It is no picture that can be shown.');
  const [width, height] = [Number(match[1]), Number(match[2])];
  const from = match[0].length;
  if (bytes.length < from + 3 * width * height) throw new RangeError('The picture is cut off.');
  const data = new Uint8ClampedArray(4 * width * height);
  for (let pixel = 0, at = from; pixel < data.length; pixel += 4, at += 3) {
    data[pixel] = bytes[at] ?? 0;
    data[pixel + 1] = bytes[at + 1] ?? 0;
    data[pixel + 2] = bytes[at + 2] ?? 0;
    data[pixel + 3] = 255;
  }
  return { width, height, data };
}

/** Some bytes of a stored file. @throws Error when storage does not give them. */
export async function readRange(
  url: string,
  from: number,
  count: number,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  if (count === 0) return new Uint8Array();
  const answer = await fetch(url, { headers: { range: `bytes=${from}-${from + count - 1}` }, signal });
  if (!answer.ok) throw new Error(`Storage answered with HTTP ${answer.status}.`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return answer.status === 206 ? bytes : bytes.subarray(from, from + count);
}

/** The bytes of a picture. @throws Error when storage does not give them. */
async function readStored(
  { url, member, bytes }: StoredPicture,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const read = (from: number, count: number) => readRange(url, from, count, signal);
  if (member === null) return read(0, bytes);
  const tail = Math.min(bytes, TAIL_BYTES);
  const found = findMember(await read(bytes - tail, tail), bytes, member);
  if (!found) throw new Error('The picture is not where it was.');
  return read(found.from, found.bytes);
}

/** Whether pictures with this ending can be shown. */
export const canShow = (format: string) => /^(?:png|jpe?g|webp|gif|avif|bmp|ppm)$/.test(format);

/** A picture as the browser draws it. @throws Error when it cannot be read or shown. */
export async function loadPicture(stored: StoredPicture, signal: AbortSignal): Promise<ImageBitmap> {
  const bytes = await readStored(stored, signal);
  if (stored.format !== 'ppm') return createImageBitmap(new Blob([bytes]));
  const { data, width, height } = readPpm(bytes);
  return createImageBitmap(new ImageData(data, width, height));
}

/** Draws a picture over all of a canvas, which gets its size, or at most so wide. */
export function paint(canvas: HTMLCanvasElement, picture: ImageBitmap, mostWidth = Infinity): void {
  const scale = Math.min(1, mostWidth / picture.width);
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  canvas.getContext('2d')?.drawImage(picture, 0, 0, canvas.width, canvas.height);
}
