import { ppmDamage, ppmHeader, readPpmHeader } from '../../../job/items/ppm.js';
import type { Picture } from '../codec.js';
import { refuseDamaged, refuseHuge } from '../picture-file.js';

/** Reads a frame. @throws RangeError with a clause that says what is wrong with the file. */
export function readPpm(bytes: Uint8Array): Picture {
  const header = readPpmHeader(bytes);
  if (header) refuseHuge(header);
  refuseDamaged(ppmDamage(bytes));
  const { width, height, pixelsAt } = header ?? { width: 0, height: 0, pixelsAt: 0 };
  // A copy: the memory of the file cannot move to another thread alone.
  return { width, height, data: new Uint8Array(bytes.subarray(pixelsAt)) };
}

export function writePpm({ width, height, data }: Picture): Buffer {
  return Buffer.concat([Buffer.from(ppmHeader(width, height)), data]);
}
