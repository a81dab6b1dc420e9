import { inflateSync } from 'node:zlib';
import { jpegDamage } from './jpeg-scan.js';
import type { TiffPlan } from './tiff.js';

/** Finds damage in compressed pixels that the picture library passes over: it stops at the last pixel and never looks at a checksum. */

const JPEG = 7;
const DEFLATE = [8, 32946];
const MOST_BYTES = 1_000_000_000;

/** What is wrong with the strips or tiles of a TIFF, as a clause; undefined when nothing is, or nothing can be told. */
export function tiffDamage({ compression, parts, jpegTables }: TiffPlan): string | undefined {
  if (DEFLATE.includes(compression)) return parts.every(inflates) ? undefined : 'its pixels are damaged';
  if (compression !== JPEG) return undefined;
  // Without the marks of its end and of the part's beginning, one goes on where the other stops.
  const tables = jpegTables.subarray(0, Math.max(jpegTables.length - 2, 0));
  for (const part of parts) {
    const damage = jpegDamage(tables.length === 0 ? part : Buffer.concat([tables, part.subarray(2)]));
    if (damage !== undefined) return damage;
  }
  return undefined;
}

function inflates(part: Uint8Array): boolean {
  try {
    return part.length === 0 || inflateSync(part, { maxOutputLength: MOST_BYTES }).length > 0;
  } catch {
    return false;
  }
}

/** What is wrong with the first picture of a GIF, as a clause: its codes must give as many pixels as it has. */
export function gifDamage(bytes: Uint8Array): string | undefined {
  const colours = (flags: number) => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1));
  let at = 13 + colours(bytes[10] ?? 0);
  for (; bytes[at] === EXTENSION; at += 1) for (at += 2; (bytes[at] ?? 0) > 0;) at += (bytes[at] ?? 0) + 1;
  if (bytes[at] !== IMAGE || at + 11 > bytes.length) return 'it holds no picture';
  const pixels =
    ((bytes[at + 5] ?? 0) + 256 * (bytes[at + 6] ?? 0)) * ((bytes[at + 7] ?? 0) + 256 * (bytes[at + 8] ?? 0));
  at += 10 + colours(bytes[at + 9] ?? 0);
  const codeSize = bytes[at] ?? 0;
  const blocks: Uint8Array[] = [];
  for (at += 1; (bytes[at] ?? 0) > 0; at += (bytes[at] ?? 0) + 1)
    blocks.push(bytes.subarray(at + 1, at + 1 + (bytes[at] ?? 0)));
  if (codeSize < 1 || codeSize > 11) return 'its pixels are damaged';
  return countPixels(Buffer.concat(blocks), codeSize, pixels) === pixels ? undefined : 'its pixels are damaged';
}

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const MOST_CODES = 4096;

/** How many pixels LZW codes give, up to one more than `most`; NaN where a code does not exist. */
function countPixels(data: Uint8Array, codeSize: number, most: number): number {
  const clear = 2 ** codeSize;
  /** Pixels that each code stands for. */
  const lengths = new Uint32Array(MOST_CODES).fill(1, 0, clear);
  let next = clear + 2;
  let size = codeSize + 1;
  let before = 0;
  let total = 0;
  let bits = 0;
  let count = 0;
  for (const byte of data) {
    bits |= byte << count;
    count += 8;
    while (count >= size) {
      const code = bits & (2 ** size - 1);
      bits >>>= size;
      count -= size;
      if (code === clear + 1) return total;
      if (code === clear) {
        next = clear + 2;
        size = codeSize + 1;
        before = 0;
        continue;
      }
      if (code > next || (code === next && before === 0)) return Number.NaN;
      if (before > 0 && next < MOST_CODES) {
        lengths[next] = before + 1;
        next += 1;
        if (next === 2 ** size && size < 12) size += 1;
      }
      before = lengths[code] ?? 0;
      total += before;
      if (before === 0 || total > most) return Number.NaN;
    }
  }
  return total;
}
