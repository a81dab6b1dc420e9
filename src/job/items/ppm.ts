/**
 * PPM pictures (https://netpbm.sourceforge.net/doc/ppm.html), in the one form in which frames are stored: 8-bit RGB as it is, row by row
 * from the top, behind a header as FFmpeg writes it. A file is as long as its header says, so one that has lost bytes is found out.
 */
export interface PpmHeader {
  width: number;
  height: number;
  /** Bytes before the first pixel. */
  pixelsAt: number;
  /** Bytes of the whole file. */
  fileBytes: number;
}

const HEADER = /^P6\n([1-9]\d{0,5}) ([1-9]\d{0,5})\n255\n/;

/** No header is longer. */
export const MOST_HEADER_BYTES = 'P6\n999999 999999\n255\n'.length;

/** Undefined when the bytes do not begin with a whole header. Of a longer file, its beginning is enough. */
export function readPpmHeader(start: Uint8Array): PpmHeader | undefined {
  const [header = '', ...size] = HEADER.exec(String.fromCharCode(...start.subarray(0, MOST_HEADER_BYTES))) ?? [];
  const [width = 0, height = 0] = size.map(Number);
  const pixelsAt = header.length;
  return header === '' ? undefined : { width, height, pixelsAt, fileBytes: pixelsAt + width * height * 3 };
}

export const ppmHeader = (width: number, height: number) => `P6\n${width} ${height}\n255\n`;

/** A clause that says what is wrong with a file; undefined when its header and its length go together. */
export function ppmDamage(file: Uint8Array): string | undefined {
  const header = readPpmHeader(file);
  if (!header) return 'its header is damaged';
  if (file.length < header.fileBytes) return 'it is cut off';
  return file.length > header.fileBytes ? 'it is longer than its header says' : undefined;
}
