import { open, type FileHandle } from 'node:fs/promises';

/** A box (ISO/IEC 14496-12) in a buffer: `at` is where its content starts. */
interface Box {
  type: string;
  at: number;
  end: number;
}

const HEADER = 8;

/**
 * Ends the name of the picture track while ffmpeg writes it: as many bytes as an entry of the table of lengths takes, so that one can be
 * added without moving the rest of the file.
 */
export const ROOM = '........';

/**
 * Corrects, in place, how long the last picture of an MP4 or MOV is shown and when the first one is. FFmpeg before 4.4 (the npm build is of
 * 2018) gives the last picture no length and measures the track in the order of decoding: the edit list then ends before the last pictures,
 * and players leave them out. Later ones give it the ordinary length. Every FFmpeg rounds the time of the first picture down to a
 * millisecond.
 * @param pictures when the first picture is shown, when the last one is, and until when, in seconds
 * @throws Error when the file has no index or no picture track: ffmpeg did not write it.
 */
export async function setDurations(file: string, pictures: { first: number; last: number; end: number }) {
  const handle = await open(file, 'r+');
  try {
    const { moov, position } = await readMoov(handle);
    patch(moov, pictures);
    await handle.write(moov, 0, moov.length, position);
  } finally {
    await handle.close();
  }
}

async function readMoov(handle: FileHandle): Promise<{ moov: Buffer; position: number }> {
  const header = Buffer.alloc(2 * HEADER);
  for (let position = 0; ;) {
    const { bytesRead } = await handle.read(header, 0, header.length, position);
    if (bytesRead < HEADER) throw new Error('the file has no moov box');
    const short = header.readUInt32BE(0);
    const size = short === 1 ? Number(header.readBigUInt64BE(HEADER)) : short;
    if (size < HEADER) throw new Error('the file has no moov box');
    if (header.toString('latin1', 4, HEADER) === 'moov') {
      const moov = Buffer.alloc(size);
      await handle.read(moov, 0, size, position);
      return { moov, position };
    }
    position += size;
  }
}

function patch(moov: Buffer, { first, last, end }: { first: number; last: number; end: number }): void {
  const whole = { type: 'moov', at: HEADER, end: moov.length };
  const mvhd = find(moov, whole, 'mvhd');
  const tracks = boxes(moov, whole).filter(({ type }) => type === 'trak');
  const track = tracks.find((box) => handler(moov, box) === 'vide');
  if (!track || !mvhd) throw new Error('the file has no picture track');
  const scale = clock(moov, mvhd);
  const media = find(moov, track, 'mdia', 'mdhd');
  if (media) {
    const { timescale, set } = clock(moov, media);
    const ticks = Math.round((end - first) * timescale);
    lengthenLast(moov, track, ticks, Math.round((end - last) * timescale));
    set(ticks);
  }
  const edits = find(moov, track, 'edts', 'elst');
  if (edits) {
    setDelay(moov, edits, Math.round(first * scale.timescale));
    setLastEdit(moov, edits, Math.ceil((end - first) * scale.timescale - 1e-6));
  }
  const total = Math.ceil(end * scale.timescale - 1e-6);
  const lengths = tracks.map((box) => {
    const header = find(moov, box, 'tkhd');
    if (header && box === track) setField(moov, header, LENGTH_IN_TKHD, total);
    return header ? getField(moov, header, LENGTH_IN_TKHD) : 0;
  });
  scale.set(Math.max(total, ...lengths));
}

/** Version, flags, two times, track number, four bytes reserved. */
const LENGTH_IN_TKHD: Offsets = [20, 28];

/** Time scale and length in an mvhd or mdhd, which begin alike: version, flags, two times, scale, length. */
function clock(bytes: Buffer, box: Box) {
  const wide = bytes[box.at] === 1;
  const at = box.at + (wide ? 20 : 12);
  return {
    timescale: bytes.readUInt32BE(at),
    set: (value: number) => setField(bytes, box, [16, 24], value),
  };
}

/** Where a number is in a box: with four bytes in version 0, with eight in version 1. */
type Offsets = [narrow: number, wide: number];

function setField(bytes: Buffer, { at }: Box, [narrow, wide]: Offsets, value: number): void {
  if (bytes[at] === 1) bytes.writeBigUInt64BE(BigInt(value), at + wide);
  else bytes.writeUInt32BE(value, at + narrow);
}

const getField = (bytes: Buffer, { at }: Box, [narrow, wide]: Offsets) =>
  bytes[at] === 1 ? Number(bytes.readBigUInt64BE(at + wide)) : bytes.readUInt32BE(at + narrow);

/**
 * Lets the last sample end when the track does. With B-frames it is not the last picture, and times run in the order of decoding.
 * @param total ticks of the whole track
 * @param last ticks that the last picture is shown for, if that cannot be told from the others
 */
function lengthenLast(bytes: Buffer, track: Box, total: number, last: number): void {
  const at = makeRoom(bytes, track);
  if (at === undefined) return;
  const entries = bytes.readUInt32BE(at + 4);
  const entry = (index: number) => at + HEADER + index * 8;
  let others = 0;
  for (let index = 0; index < entries; index += 1)
    others += bytes.readUInt32BE(entry(index)) * bytes.readUInt32BE(entry(index) + 4);
  const final = entry(entries - 1);
  const count = bytes.readUInt32BE(final);
  others -= bytes.readUInt32BE(final + 4);
  const ticks = total > others ? total - others : last;
  // Behind the table is the room for an entry.
  if (count === 1) {
    bytes.writeUInt32BE(ticks, final + 4);
    bytes.writeUInt32BE(HEADER, final + 8);
    bytes.write('free', final + 12, 'latin1');
  } else {
    bytes.writeUInt32BE(count - 1, final);
    bytes.writeUInt32BE(1, final + 8);
    bytes.writeUInt32BE(ticks, final + 12);
    bytes.writeUInt32BE(entries + 1, at + 4);
    bytes.writeUInt32BE(bytes.readUInt32BE(at - HEADER) + ROOM.length, at - HEADER);
  }
}

/**
 * Moves the room from the name of the track to behind the table of lengths.
 * @returns where the content of that table (stts) is; undefined when there is no room
 */
function makeRoom(bytes: Buffer, track: Box): number | undefined {
  const name = find(bytes, track, 'mdia', 'hdlr');
  const around = [['minf'], ['minf', 'stbl']].map((path) => find(bytes, track, 'mdia', ...path));
  const steps = find(bytes, track, 'mdia', 'minf', 'stbl', 'stts');
  if (!name || !steps) return undefined;
  // MP4 ends the name with a zero, MOV puts its length in front. Before it are version, flags, two types and three numbers.
  const nameEnd = bytes[name.end - 1] === 0 ? name.end - 1 : name.end;
  if (bytes.toString('latin1', nameEnd - ROOM.length, nameEnd) !== ROOM) return undefined;
  if (nameEnd === name.end) resize(bytes, name.at + 24, -ROOM.length, 1);
  resize(bytes, name.at - HEADER, -ROOM.length);
  for (const box of around) if (box) resize(bytes, box.at - HEADER, ROOM.length);
  bytes.copyWithin(nameEnd - ROOM.length, nameEnd, steps.end);
  return steps.at - ROOM.length;
}

function resize(bytes: Buffer, at: number, by: number, width = 4): void {
  bytes.writeUIntBE(bytes.readUIntBE(at, width) + by, at, width);
}

/** The time before the first picture is an edit without media (media time -1). */
function setDelay(bytes: Buffer, box: Box, ticks: number): void {
  const { at } = box;
  const mediaTime = bytes[at] === 1 ? Number(bytes.readBigInt64BE(at + 16)) : bytes.readInt32BE(at + 12);
  if (mediaTime === -1) setField(bytes, box, [HEADER, HEADER], ticks);
}

function setLastEdit(bytes: Buffer, box: Box, ticks: number): void {
  const index = bytes.readUInt32BE(box.at + 4) - 1;
  setField(bytes, box, [HEADER + index * 12, HEADER + index * 20], ticks);
}

function handler(bytes: Buffer, track: Box): string | undefined {
  const box = find(bytes, track, 'mdia', 'hdlr');
  return box && bytes.toString('latin1', box.at + HEADER, box.at + HEADER + 4);
}

function find(bytes: Buffer, parent: Box, ...path: string[]): Box | undefined {
  return path.reduce<Box | undefined>(
    (box, type) => box && boxes(bytes, box).find((child) => child.type === type),
    parent,
  );
}

function boxes(bytes: Buffer, { at, end }: Box): Box[] {
  const found: Box[] = [];
  for (let from = at; from + HEADER <= end;) {
    const size = Math.max(HEADER, bytes.readUInt32BE(from));
    found.push({ type: bytes.toString('latin1', from + 4, from + HEADER), at: from + HEADER, end: from + size });
    from += size;
  }
  return found;
}
