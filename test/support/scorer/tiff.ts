/** One field of a TIFF directory: its values as numbers, or the text of an ASCII field. */
export type TiffFields = Record<number, number[] | string>;

interface TiffPage {
  width: number;
  height: number;
  /** Samples row by row, pixel by pixel, as they are stored. */
  samples: ArrayLike<number>;
  bits?: 1 | 8 | 16 | 32 | 64;
  /** 0: white is zero, 1: black is zero, 2: RGB, 3: palette, 5: CMYK, 8: CIE L*a*b*. */
  photometric?: number;
  /** 1: unsigned, 2: signed, 3: floating point. */
  format?: 1 | 2 | 3;
  /** What each sample beyond the colours is; 0: unspecified, 1: premultiplied alpha, 2: alpha. */
  extra?: number[];
  fields?: TiffFields;
}

const SIZES: Record<number, number> = { 1: 1, 2: 1, 3: 2, 4: 4 };

/** A TIFF file, little-endian, in one strip for each page, not compressed. */
export function tiff(...pages: TiffPage[]): Buffer {
  let file = Buffer.from('II*\0\0\0\0\0', 'latin1');
  let link = 4;
  for (const page of pages) {
    const pixels = pack(page);
    const strip = file.length;
    file = Buffer.concat([file, pixels, Buffer.alloc(pixels.length & 1)]);
    const { width, height, bits = 8, photometric = 2, format = 1, extra = [], fields = {} } = page;
    const perPixel = page.samples.length / (width * height);
    const all: TiffFields = {
      254: [0],
      256: [width],
      257: [height],
      258: Array.from({ length: perPixel }, () => bits),
      259: [1],
      262: [photometric],
      273: [strip],
      277: [perPixel],
      278: [height],
      279: [pixels.length],
      284: [1],
      339: Array.from({ length: perPixel }, () => format),
      ...fields,
    };
    if (extra.length > 0) all[338] = extra;
    file.writeUInt32LE(file.length, link);
    const { bytes, next } = directory(all, file.length);
    link = file.length + next;
    file = Buffer.concat([file, bytes]);
  }
  return file;
}

/** @returns a directory with the values that do not fit into it behind it, and where in it the next one's place goes. */
function directory(fields: TiffFields, at: number): { bytes: Buffer; next: number } {
  const tags = Object.keys(fields)
    .map(Number)
    .toSorted((one, other) => one - other);
  const head = Buffer.alloc(2 + tags.length * 12 + 4);
  head.writeUInt16LE(tags.length, 0);
  const values: Buffer[] = [];
  let end = at + head.length;
  for (const [index, tag] of tags.entries()) {
    const value = fields[tag] ?? [];
    const type = typeof value === 'string' ? 2 : [273, 279, 330].includes(tag) ? 4 : tag === 50706 ? 1 : 3;
    const list = typeof value === 'string' ? [...Buffer.from(`${value}\0`)] : value;
    const size = SIZES[type] ?? 1;
    const data = Buffer.alloc(Math.max(list.length * size, 4));
    for (const [place, number] of list.entries()) data.writeUIntLE(number, place * size, size);
    const entry = 2 + index * 12;
    head.writeUInt16LE(tag, entry);
    head.writeUInt16LE(type, entry + 2);
    head.writeUInt32LE(list.length, entry + 4);
    if (list.length * size <= 4) data.copy(head, entry + 8);
    else {
      head.writeUInt32LE(end, entry + 8);
      values.push(data);
      end += data.length;
    }
  }
  return { bytes: Buffer.concat([head, ...values]), next: head.length - 4 };
}

function pack({ width, samples, bits = 8, format = 1 }: TiffPage): Buffer {
  if (bits === 1) {
    const row = Math.ceil(width / 8);
    const data = Buffer.alloc(row * (samples.length / width));
    for (let index = 0; index < samples.length; index += 1) {
      const at = Math.floor(index / width) * row + ((index % width) >> 3);
      if (samples[index] === 1) data[at] = (data[at] ?? 0) | (0x80 >> ((index % width) & 7));
    }
    return data;
  }
  const data = Buffer.alloc((samples.length * bits) / 8);
  for (let index = 0; index < samples.length; index += 1) {
    const value = samples[index] ?? 0;
    if (format === 3 && bits === 32) data.writeFloatLE(value, index * 4);
    else if (format === 3) data.writeDoubleLE(value, index * 8);
    else data.writeUIntLE(value < 0 ? value + 2 ** bits : value, (index * bits) / 8, bits / 8);
  }
  return data;
}
