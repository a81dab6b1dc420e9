import type { FrameFormat } from '../../job/items/formats.js';

/** Times are written in microseconds; rounding them gives back 1/90000 and every coarser time base exactly. */
const TICK_NANOSECONDS = 1000;

/** Element ids of https://www.rfc-editor.org/rfc/rfc8794 and https://www.rfc-editor.org/rfc/rfc9559 */
const ID = {
  ebml: '1a45dfa3',
  docType: '4282',
  segment: '18538067',
  info: '1549a966',
  timestampScale: '2ad7b1',
  tracks: '1654ae6b',
  track: 'ae',
  trackNumber: 'd7',
  trackUid: '73c5',
  trackType: '83',
  defaultDuration: '23e383',
  codec: '86',
  codecPrivate: '63a2',
  video: 'e0',
  width: 'b0',
  height: 'ba',
  cluster: '1f43b675',
  timestamp: 'e7',
  simpleBlock: 'a3',
};

/** Lets the segment be written before its end is known. */
const UNKNOWN_LENGTH = Buffer.from('01ffffffffffffff', 'hex');
/** Track 1 as a variable-length number, 16 bits of time after the cluster's, the flag of a key frame. */
const BLOCK_HEADER = Buffer.from([0x81, 0, 0, 0x80]);

/**
 * Writes pictures as a Matroska stream. It is the simplest format that tells ffmpeg an exact time for each picture: all its other ways of
 * reading pictures from a pipe assume a constant rate.
 * @param times microseconds from the first frame, one for each picture
 * @param frameSeconds length of an ordinary frame, as a hint for rate control
 */
export async function* matroska(
  frames: AsyncIterable<Buffer>,
  format: FrameFormat,
  times: Iterable<number>,
  { width, height, frameSeconds }: { width: number; height: number; frameSeconds: number },
): AsyncGenerator<Buffer> {
  const clock = times[Symbol.iterator]();
  yield header(format, width, height, frameSeconds);
  for await (const frame of frames) {
    const { value, done } = clock.next();
    if (done) throw new RangeError('there are more pictures than times');
    const timestamp = uint(ID.timestamp, value);
    const block = lead(ID.simpleBlock, BLOCK_HEADER.length + frame.length);
    const length = timestamp.length + block.length + BLOCK_HEADER.length + frame.length;
    yield Buffer.concat([lead(ID.cluster, length), timestamp, block, BLOCK_HEADER]);
    yield frame;
  }
}

function header(format: FrameFormat, width: number, height: number, frameSeconds: number): Buffer {
  const codec =
    format === 'jpg'
      ? [text(ID.codec, 'V_MJPEG')]
      : [
          text(ID.codec, 'V_MS/VFW/FOURCC'),
          element(ID.codecPrivate, bitmapHeader(FOUR_CHARACTERS[format], width, height)),
        ];
  const track = [
    uint(ID.trackNumber, 1),
    uint(ID.trackUid, 1),
    uint(ID.trackType, 1),
    uint(ID.defaultDuration, Math.max(1, Math.round(frameSeconds * 1e9))),
    ...codec,
    element(ID.video, Buffer.concat([uint(ID.width, width), uint(ID.height, height)])),
  ];
  return Buffer.concat([
    element(ID.ebml, text(ID.docType, 'matroska')),
    Buffer.from(ID.segment, 'hex'),
    UNKNOWN_LENGTH,
    element(ID.info, uint(ID.timestampScale, TICK_NANOSECONDS)),
    element(ID.tracks, element(ID.track, Buffer.concat(track))),
  ]);
}

/** Matroska has no name of its own for PNG, and nobody has one for PPM: the reader is told what it is. */
const FOUR_CHARACTERS = { png: 'MPNG', ppm: 'PPM ' };

/** A BITMAPINFOHEADER. */
function bitmapHeader(name: string, width: number, height: number): Buffer {
  const bytes = Buffer.alloc(40);
  bytes.writeUInt32LE(40, 0);
  bytes.writeUInt32LE(width, 4);
  bytes.writeUInt32LE(height, 8);
  bytes.writeUInt16LE(1, 12);
  bytes.writeUInt16LE(24, 14);
  bytes.write(name, 16, 'latin1');
  return bytes;
}

const element = (id: string, body: Buffer) => Buffer.concat([lead(id, body.length), body]);
const text = (id: string, value: string) => element(id, Buffer.from(value));

function uint(id: string, value: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeBigUInt64BE(BigInt(value));
  return element(id, body);
}

/** The id and the length of an element, the length in eight bytes. */
function lead(id: string, length: number): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(length) | (1n << 56n));
  return Buffer.concat([Buffer.from(id, 'hex'), size]);
}
