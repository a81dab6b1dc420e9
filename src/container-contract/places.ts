import { FRAME_FORMATS } from '../job/items/formats.js';

/**
 * Where frames, and what is made of items, lie in the work container. App and scorer compute the same names:
 *
 *     frames/0000063.zip             the frames 63 to 125 of a video whose packs hold 63
 *     scored/0000063-0000090.zip     what was made of them so far; there are as many parts as it took
 *     predicted/0000063-0000090.zip  what the model said of the same frames, where their scored pictures show it
 *
 * With packs of one, each is a file of its own: `frames/0000063.png`, `scored/0000063.png`.
 */
export const FRAMES_PREFIX = 'frames/';
export const SCORED_PREFIX = 'scored/';
export const PREDICTED_PREFIX = 'predicted/';

/** Endings of what a scorer makes of an item. */
export const SCORED_FORMATS = [...FRAME_FORMATS, 'json', 'npy'] as const;
export type ScoredFormat = (typeof SCORED_FORMATS)[number];

const ITEM_DIGITS = 7;
/** More items than this would need longer names. */
export const MOST_ITEMS = 10 ** ITEM_DIGITS - 1;

/** Name of the item for frame `index` (from 0); sorts as the frames follow each other. */
export const itemName = (index: number) => String(index).padStart(ITEM_DIGITS, '0');

/** Name of an item in a pack. */
export const memberName = (index: number, ending: string) => `${itemName(index)}.${ending}`;

/** Consecutive items, both ends included. */
export interface ItemRange {
  first: number;
  last: number;
}

/** The pack that holds a frame by its first one; every pack but the last holds `pack` frames. */
export const packStart = (index: number, pack: number) => index - (index % pack);

/** The blob that holds a frame. */
export const framesBlob = (index: number, pack: number, ending: string) =>
  pack === 1
    ? `${FRAMES_PREFIX}${memberName(index, ending)}`
    : `${FRAMES_PREFIX}${itemName(packStart(index, pack))}.zip`;

/** The frames that a blob holds, of which the last pack of a video may have fewer; undefined for any other name. */
export function parseFramesBlob(blob: string, pack: number): ItemRange | undefined {
  const [, first] = /^frames\/(\d+)\.[a-z]+$/.exec(blob) ?? [];
  return first === undefined ? undefined : { first: Number(first), last: Number(first) + pack - 1 };
}

/** What to list for the frames `first` to `last`, and some others. */
export function framesPrefix({ first, last }: ItemRange): string {
  const [from, to] = [itemName(first), itemName(last)];
  let length = 0;
  while (length < from.length && from[length] === to[length]) length += 1;
  return `${FRAMES_PREFIX}${from.slice(0, length)}`;
}

const rangeName = ({ first, last }: ItemRange, pack: number, ending: string) =>
  pack === 1 ? memberName(first, ending) : `${itemName(first)}-${itemName(last)}.zip`;

/** What was made of some items of one pack: all of a part's items are behind, those that failed are absent. */
export const scoredPart = (range: ItemRange, pack: number, ending: string) =>
  `${SCORED_PREFIX}${rangeName(range, pack, ending)}`;

/** What the model said of the frames of a part; it is stored first. */
export const predictedPart = (range: ItemRange, pack: number, ending: string) =>
  `${PREDICTED_PREFIX}${rangeName(range, pack, ending)}`;

/** The items that a scored part is about; undefined for any other name. */
export function parseScoredPart(blob: string): ItemRange | undefined {
  const [, first, last] = /^scored\/(\d+)(?:-(\d+)\.zip|\.(?!zip$)[a-z]+)$/.exec(blob) ?? [];
  return first === undefined ? undefined : { first: Number(first), last: Number(last ?? first) };
}

/** Metadata of a part: which of its items are absent, because they failed. */
export function absentMetadata({ first }: ItemRange, absent: number[]): Record<string, string> {
  return absent.length === 0 ? {} : { absent: absent.map((index) => index - first).join() };
}

/** Reads `absentMetadata`. */
export const readAbsent = ({ first }: ItemRange, { absent = '' }: Record<string, string>): number[] =>
  absent === '' ? [] : absent.split(',').map((offset) => first + Number(offset));

/** Some items of a pack: those that failed are absent. */
export interface Partly extends ItemRange {
  /** Indices. */
  absent: number[];
}

/** Indices of the items that are there. */
export function* presentIn({ first, last, absent }: Partly): Generator<number> {
  const gone = new Set(absent);
  for (let index = first; index <= last; index += 1) if (!gone.has(index)) yield index;
}

/** Items whose parts one listing brings at most: their names differ in so many of their last digits. */
const MOST_LISTED_DIGITS = 3;

/**
 * What to list for the parts of the items `first` to `last`, and of others around them: with at most twice as many names, up to the next
 * power of ten, where these are no thousands. A part never begins before its pack.
 */
export function scoredPrefixes({ first, last }: ItemRange, pack: number): string[] {
  const from = packStart(first, pack);
  const digits = Math.min(MOST_LISTED_DIGITS, String(last - from).length);
  const [lowest, highest] = [from, last].map((index) => Math.floor(index / 10 ** digits)) as [number, number];
  return Array.from(
    { length: highest - lowest + 1 },
    (_, k) => `${SCORED_PREFIX}${itemName((lowest + k) * 10 ** digits).slice(0, -digits)}`,
  );
}
