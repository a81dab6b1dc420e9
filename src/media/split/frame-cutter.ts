import { JobError } from '../../job/failure.js';
import type { FrameFormat } from '../../job/items/formats.js';
import { MOST_HEADER_BYTES, readPpmHeader } from '../../job/items/ppm.js';
import { FrameMemory } from '../../job/items/frame-memory.js';

/** Finds the end of one picture in a stream that comes in chunks of any size. */
interface Boundary {
  /** Reads a chunk from `from` on; returns the offset just after the picture, or -1 when the chunk ends first. */
  feed: (chunk: Buffer, from: number) => number;
  /** Bytes of the whole picture, where and as soon as its beginning tells. */
  bytes?: number;
}

/**
 * Cuts the stream that ffmpeg's image2pipe writes, pictures one after another, into single pictures.
 * @param onRest called when the stream ends within a picture, which is left out: only how ffmpeg ended tells what that means
 * @param memory where pictures go that tell their size; left out: new memory each
 */
export async function* cutFrames(
  stream: AsyncIterable<Buffer>,
  format: FrameFormat,
  onRest: () => void,
  memory = new FrameMemory(),
): AsyncGenerator<Buffer> {
  const begin = BOUNDARIES[format];
  let [boundary, picture] = [begin(), new Pieces(memory)];
  for await (const chunk of stream) {
    let from = 0;
    while (from < chunk.length) {
      const end = boundary.feed(chunk, from);
      picture.add(chunk.subarray(from, end < 0 ? chunk.length : end), boundary.bytes);
      if (end < 0) break;
      yield picture.whole();
      [boundary, picture, from] = [begin(), new Pieces(memory), end];
    }
  }
  if (picture.length > 0) onRest();
}

/** The pieces of one picture: copied to their place as they come, once its size is known. */
class Pieces {
  length = 0;
  readonly #parts: Buffer[] = [];
  #place: Buffer | undefined;

  constructor(private readonly memory: FrameMemory) {}

  add(part: Buffer, bytes: number | undefined): void {
    if (bytes === undefined) this.#parts.push(part);
    else {
      this.#place ??= this.#begin(bytes);
      part.copy(this.#place, this.length);
    }
    this.length += part.length;
  }

  whole(): Buffer {
    return this.#place ?? Buffer.concat(this.#parts);
  }

  #begin(bytes: number): Buffer {
    const place = this.memory.take(bytes);
    let at = 0;
    for (const part of this.#parts) at += part.copy(place, at);
    return place;
  }
}

const BOUNDARIES: Record<FrameFormat, () => Boundary> = { ppm: ppmBoundary, png: pngBoundary, jpg: jpegBoundary };

/** The header says how many bytes follow. */
function ppmBoundary(): Boundary {
  let start = Buffer.alloc(0);
  let left: number | undefined;
  const boundary: Boundary = {
    feed(chunk, from) {
      let at = from;
      if (left === undefined) {
        const seen = start.length;
        start = Buffer.concat([start, chunk.subarray(at, at + MOST_HEADER_BYTES - seen)]);
        const header = readPpmHeader(start);
        if (header) {
          boundary.bytes = header.fileBytes;
          left = header.fileBytes - header.pixelsAt;
          at += header.pixelsAt - seen;
        } else if (start.length < MOST_HEADER_BYTES) return -1;
        else throw new JobError('user', 'ffmpeg wrote something else than a PPM frame.');
      }
      const taken = Math.min(left, chunk.length - at);
      left -= taken;
      return left === 0 ? at + taken : -1;
    },
  };
  return boundary;
}

const PNG_SIGNATURE = 8;
/** Length and type of a PNG chunk. */
const PNG_HEADER = 8;
const PNG_CHECKSUM = 4;

/** Goes from PNG chunk to PNG chunk by their lengths, so that bytes of the pixels are never taken for an end. */
function pngBoundary(): Boundary {
  const header = Buffer.alloc(PNG_HEADER);
  let filled = 0;
  let skip = PNG_SIGNATURE;
  let last = false;
  return {
    feed(chunk, from) {
      let at = from;
      while (at < chunk.length) {
        const skipped = Math.min(skip, chunk.length - at);
        at += skipped;
        skip -= skipped;
        if (skip > 0) break;
        if (last) return at;
        const copied = chunk.copy(header, filled, at, at + PNG_HEADER - filled);
        at += copied;
        filled += copied;
        if (filled < PNG_HEADER) break;
        filled = 0;
        skip = header.readUInt32BE(0) + PNG_CHECKSUM;
        last = header.toString('latin1', 4) === 'IEND';
      }
      return -1;
    },
  };
}

const MARK = 0xff;
const END_OF_IMAGE = 0xd9;
/** Markers that no segment follows: stuffing (00, TEM), restarts and start of image. */
const isBare = (marker: number) => marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8);

/** Steps over the segments by their lengths (a thumbnail may hold an end marker) and through entropy-coded data byte by byte. */
function jpegBoundary(): Boundary {
  let state: 'mark' | 'marker' | 'high' | 'low' | 'skip' = 'mark';
  let marker = 0;
  let skip = 0;
  /** Takes a byte that is not skipped; returns whether it is the last one of the picture. */
  const step = (byte: number): boolean => {
    if (state === 'high') [skip, state] = [byte << 8, 'low'];
    else if (state === 'low') [skip, state] = [skip + byte - 2, 'skip'];
    else if (byte !== MARK) [marker, state] = [byte, isBare(byte) || byte === END_OF_IMAGE ? 'mark' : 'high'];
    return state === 'mark' && marker === END_OF_IMAGE;
  };
  return {
    feed(chunk, from) {
      let at = from;
      while (at < chunk.length) {
        if (state === 'skip') {
          const skipped = Math.min(skip, chunk.length - at);
          at += skipped;
          skip -= skipped;
          if (skip === 0) state = 'mark';
        } else if (state === 'mark') {
          const next = chunk.indexOf(MARK, at);
          at = next < 0 ? chunk.length : next + 1;
          if (next >= 0) state = 'marker';
        } else {
          at += 1;
          if (step(chunk.readUInt8(at - 1))) return at;
        }
      }
      return -1;
    },
  };
}
