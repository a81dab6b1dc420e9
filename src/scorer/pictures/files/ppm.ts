import { ppmDamage, ppmHeader, readPpmHeader } from '../../../job/items/ppm.js';
import type { Picture } from '../codec.js';
import { refuseDamaged, refuseHuge } from '../picture-file.js';

/** Reads a frame; where it fills its memory, the pixels stay in it. @throws RangeError with a clause that says what is wrong with the file. */
export function readPpm(bytes: Uint8Array): Picture {
  const header = readPpmHeader(bytes);
  if (header) refuseHuge(header);
  refuseDamaged(ppmDamage(bytes));
  const { width, height, pixelsAt } = header ?? { width: 0, height: 0, pixelsAt: 0 };
  const { buffer } = bytes;
  // The pixels will move to another thread, with all the memory that they lie in.
  const own = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length ? buffer : undefined;
  return { width, height, data: own ? new Uint8Array(own, pixelsAt) : new Uint8Array(bytes.subarray(pixelsAt)) };
}

export function writePpm({ width, height, data }: Picture): Buffer {
  return Buffer.concat([Buffer.from(ppmHeader(width, height)), data]);
}
