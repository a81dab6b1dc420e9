import type { Size } from './picture.js';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** The size that a PNG file's header claims; undefined for other files. */
export function pngSize(bytes: Uint8Array): Size | undefined {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 24));
  if (header.length < 24 || !header.subarray(0, 8).equals(SIGNATURE)) return undefined;
  return { width: header.readUInt32BE(16), height: header.readUInt32BE(20) };
}
