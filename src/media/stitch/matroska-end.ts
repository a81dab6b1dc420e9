import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { secondsOfClock } from '../facts.js';

/** An element (https://www.rfc-editor.org/rfc/rfc8794): `at` is where its content starts. */
interface Element {
  id: string;
  at: number;
  end: number;
}

/** Ids of https://www.rfc-editor.org/rfc/rfc9559 */
const ID = {
  segment: '18538067',
  cluster: '1f43b675',
  info: '1549a966',
  duration: '4489',
  timestampScale: '2ad7b1',
  tracks: '1654ae6b',
  track: 'ae',
  trackUid: '73c5',
  tags: '1254c367',
  tag: '7373',
  targets: '63c0',
  targetUid: '63c5',
  simpleTag: '67c8',
  tagName: '45a3',
  tagString: '4487',
  crc: 'bf',
};

/** Id and length take 12 bytes at most. */
const LONGEST_LEAD = 12;

/**
 * Says, in place, until when the picture of a Matroska or WebM file is shown. FFmpeg gives the last picture the ordinary length, and only
 * the length of the whole and the tag DURATION of the track can say that it stays longer.
 * @param end in seconds
 */
export async function setEnd(file: string, end: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const parts: HeadElement[] = [];
    for await (const part of headElements(handle)) parts.push(part);
    const picture = parts.flatMap(({ id, bytes }) => (id === ID.tracks ? (pictureUid(bytes) ?? []) : []))[0];
    const tags = parts.filter(({ id }) => id === ID.tags).map(({ bytes }) => bytes);
    if (picture) for (const bytes of tags) setTag(bytes, picture, end);
    const ends = tags.flatMap((bytes) => durationTags(bytes).map(({ seconds }) => seconds));
    for (const { id, position, bytes } of parts) {
      if (id === ID.info) setLength(bytes, Math.max(end, ...ends));
      if (id === ID.tracks) continue;
      checkSum(bytes);
      await handle.write(bytes, 0, bytes.length, position);
    }
  } finally {
    await handle.close();
  }
}

interface HeadElement {
  id: string;
  position: number;
  bytes: Buffer;
}

/** What comes before the pictures and matters here, each with where its content is. */
async function* headElements(handle: FileHandle): AsyncGenerator<HeadElement> {
  const { size } = await handle.stat();
  for (let position = 0; position < size;) {
    const lead = Buffer.alloc(LONGEST_LEAD);
    await handle.read(lead, 0, LONGEST_LEAD, position);
    const { id, at, end } = element(lead, 0);
    if (id === ID.cluster) return;
    if (id === ID.info || id === ID.tracks || id === ID.tags) {
      const bytes = Buffer.alloc(end - at);
      await handle.read(bytes, 0, bytes.length, position + at);
      yield { id, position: position + at, bytes };
    }
    // The segment holds all that follows.
    position += id === ID.segment ? at : end;
  }
}

/** The track of the picture is the first one. */
function pictureUid(tracks: Buffer): Buffer | undefined {
  const track = find(tracks, whole(tracks), ID.track);
  const uid = track && find(tracks, track, ID.trackUid);
  return uid && tracks.subarray(uid.at, uid.end);
}

function setLength(info: Buffer, seconds: number): void {
  const duration = find(info, whole(info), ID.duration);
  const scale = find(info, whole(info), ID.timestampScale);
  if (!duration) return;
  const nanoseconds = scale ? info.readUIntBE(scale.at, scale.end - scale.at) : 1_000_000;
  const ticks = (seconds * 1e9) / nanoseconds;
  if (duration.end - duration.at === 8) info.writeDoubleBE(ticks, duration.at);
  else info.writeFloatBE(ticks, duration.at);
}

function setTag(tags: Buffer, uid: Buffer, end: number): void {
  for (const { track, value } of durationTags(tags)) {
    const text = clockTime(end);
    if (trimmed(track).equals(trimmed(uid)) && text.length <= value.end - value.at)
      tags.fill(0, value.at, value.end).write(text, value.at, 'latin1');
  }
}

/** The tags DURATION, each with the track that it is of. */
function durationTags(tags: Buffer) {
  return elements(tags, whole(tags))
    .filter(({ id }) => id === ID.tag)
    .flatMap((tag) => {
      const targets = find(tags, tag, ID.targets);
      const target = targets && find(tags, targets, ID.targetUid);
      if (!target) return [];
      return elements(tags, tag).flatMap((simple) => {
        const name = simple.id === ID.simpleTag ? find(tags, simple, ID.tagName) : undefined;
        const value = name && find(tags, simple, ID.tagString);
        if (!value || tags.toString('latin1', name.at, name.end) !== 'DURATION') return [];
        const seconds = secondsOfClock(tags.toString('latin1', value.at, value.end));
        return [{ track: tags.subarray(target.at, target.end), value, seconds }];
      });
    });
}

/** A number without the zeros in front, which may be as many as one likes. */
const trimmed = (number: Buffer) => number.subarray(number.findIndex((byte) => byte !== 0));

/** `00:00:02.060000000`, as FFmpeg and MKVToolNix write it. */
function clockTime(seconds: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  const whole = Math.floor(seconds);
  const nanoseconds = Math.round((seconds - whole) * 1e6) * 1000;
  return `${two(whole / 3600)}:${two((whole / 60) % 60)}:${two(whole % 60)}.${String(nanoseconds).padStart(9, '0')}`;
}

/** The first element may be a check sum of the rest. */
function checkSum(bytes: Buffer): void {
  const [first] = elements(bytes, whole(bytes));
  if (first?.id === ID.crc && first.end - first.at === 4)
    bytes.writeUInt32LE(crc32(bytes.subarray(first.end)), first.at);
}

const whole = (bytes: Buffer): Omit<Element, 'id'> => ({ at: 0, end: bytes.length });

const find = (bytes: Buffer, parent: Omit<Element, 'id'>, id: string) =>
  elements(bytes, parent).find((child) => child.id === id);

function elements(bytes: Buffer, { at, end }: Omit<Element, 'id'>): Element[] {
  const found: Element[] = [];
  for (let from = at; from < end;) {
    const next = element(bytes, from);
    found.push(next);
    from = next.end;
  }
  return found;
}

function element(bytes: Buffer, from: number): Element {
  const idLength = Math.clz32(bytes.readUInt8(from)) - 23;
  const sizeAt = from + idLength;
  const sizeLength = Math.clz32(bytes.readUInt8(sizeAt)) - 23;
  const at = sizeAt + sizeLength;
  const size = Number(BigInt.asUintN(7 * sizeLength, BigInt(`0x${bytes.toString('hex', sizeAt, at)}`)));
  return { id: bytes.toString('hex', from, sizeAt), at, end: at + size };
}
