/** What a TIFF file says of its pictures (TIFF 6.0 and its supplements, BigTIFF, DNG 1.7), and which of them can be read as they are. */

export interface TiffPlan {
  /** The first page that is no reduced copy of another one. */
  page: number;
  bits: number;
  /** Samples of a pixel that are colours: 1, 3 or 4. */
  colours: number;
  /** What each sample beyond the colours is: 0 unspecified, 1 alpha that the colours are multiplied by, 2 alpha. */
  extra: number[];
  /** Where the two bytes of a page's photometric interpretation are that the picture library must not see; colours are then Lab. */
  lab: { at: number; isBigEndian: boolean; signed: boolean } | undefined;
  compression: number;
  /** The parts that the pixels are stored in, strips or tiles, as the file has them. */
  parts: Uint8Array[];
  /** Tables that all parts compressed as JPEG share; empty where there are none. */
  jpegTables: Uint8Array;
}

interface Directory {
  values: Map<number, number[]>;
  /** Where the value of the photometric interpretation stands. */
  photometricAt: number;
}

const TAG = {
  newSubfileType: 254,
  subfileType: 255,
  bits: 258,
  compression: 259,
  photometric: 262,
  stripOffsets: 273,
  samples: 277,
  stripLengths: 279,
  tileOffsets: 324,
  tileLengths: 325,
  subDirectories: 330,
  inkSet: 332,
  extraSamples: 338,
  sampleFormat: 339,
  jpegTables: 347,
  subsampling: 530,
  dngVersion: 50706,
} as const;
const READ = new Set<number>(Object.values(TAG));
/** Colours of a pixel, by photometric interpretation. */
const COLOURS: Record<number, number> = { 0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3, 9: 3 };
const YCBCR = 6;
const LAB = 8;
const ICC_LAB = 9;
/** A colour filter array, and linear raw samples. */
const RAW_PHOTOMETRIC = [32803, 34892];
/** Compressions that only cameras write: Kodak, Nikon, Pentax, Sony, Samsung and lossy DNG. */
const RAW_COMPRESSION = [262, 32767, 32769, 32770, 34713, 34892, 65000, 65535];
const JPEG_COMPRESSION = [6, 7];
/** Tags with more values than the others. */
const LONG = new Set<number>([TAG.stripOffsets, TAG.stripLengths, TAG.tileOffsets, TAG.tileLengths, TAG.jpegTables]);
const MOST_PARTS = 1_000_000;
/** More directories than any picture has; a file whose directories lead in a circle stops here too. */
const MOST_DIRECTORIES = 1000;
const MOST_VALUES = 64;

/** @throws RangeError with a clause that says why a TIFF cannot be read as it is. */
export function planTiff(bytes: Uint8Array): TiffPlan {
  const reader = new TiffReader(bytes);
  const pages = reader.pages();
  const [first] = pages;
  if (first === undefined) throw new RangeError('it is a TIFF file without a picture');
  if (isCanonRaw(bytes) || pages.some((page) => isRaw(page) || reader.below(page).some(isRaw)))
    throw new RangeError(CAMERA_RAW);
  const page = pages.findIndex((each) => !isReduced(each));
  const chosen = pages[page];
  if (chosen === undefined) throw new RangeError(CAMERA_RAW);
  return { page, ...planPage(chosen, reader.isBigEndian), ...partsOf(chosen, bytes) };
}

const CAMERA_RAW =
  'it is a raw file of a camera, whose only picture is a small preview; develop it to JPEG, PNG or TIFF first';

function planPage(
  { values, photometricAt }: Directory,
  isBigEndian: boolean,
): Omit<TiffPlan, 'page' | 'compression' | 'parts' | 'jpegTables'> {
  const one = (tag: number, otherwise: number) => values.get(tag)?.[0] ?? otherwise;
  const photometric = one(TAG.photometric, 1);
  const depths = values.get(TAG.bits) ?? [1];
  const bits = depths[0] ?? 1;
  const colours = COLOURS[photometric];
  if (colours === undefined)
    throw new RangeError(`its colours are of a kind that cannot be read (photometric ${photometric})`);
  const format = values.get(TAG.sampleFormat)?.find((each) => each !== UNSIGNED && each !== UNDEFINED);
  if (format !== undefined || bits > 16)
    throw new RangeError(
      `its samples are ${FORMATS[format ?? UNSIGNED] ?? 'numbers'} of ${bits} bits, which do not say what is black and white; convert it to 8 or 16 bits without sign`,
    );
  if (depths.some((each) => each !== bits)) throw new RangeError('its channels have different depths');
  // The library converts YCbCr that is compressed as JPEG or has fewer samples of colour, and takes the rest for RGB.
  const isFull = (values.get(TAG.subsampling) ?? [2, 2]).every((each) => each === 1);
  if (photometric === YCBCR && isFull && !JPEG_COMPRESSION.includes(one(TAG.compression, 1)))
    throw new RangeError('its colours are YCbCr, which can be read only when compressed as JPEG; convert it to RGB');
  if (one(TAG.inkSet, 1) !== 1) throw new RangeError('its colours are inks other than CMYK; convert it to RGB');
  const samples = one(TAG.samples, 1);
  if (samples < colours) throw new RangeError('it has fewer channels than its colours need');
  const named = values.get(TAG.extraSamples) ?? [];
  const extra = Array.from({ length: samples - colours }, (_, index) => named[index] ?? 0);
  const isLab = photometric === LAB || photometric === ICC_LAB;
  if (isLab && bits !== 8 && bits !== 16) throw new RangeError(`its Lab colours have ${bits} bits`);
  const lab = isLab ? { at: photometricAt, isBigEndian, signed: photometric === LAB } : undefined;
  return { bits, colours, extra, lab };
}

function partsOf({ values }: Directory, bytes: Uint8Array): Pick<TiffPlan, 'compression' | 'parts' | 'jpegTables'> {
  const offsets = values.get(TAG.tileOffsets) ?? values.get(TAG.stripOffsets) ?? [];
  const lengths = values.get(TAG.tileLengths) ?? values.get(TAG.stripLengths) ?? [];
  const parts = offsets.map((offset, index) => bytes.subarray(offset, offset + (lengths[index] ?? 0)));
  const jpegTables = Uint8Array.from(values.get(TAG.jpegTables) ?? []);
  return { compression: values.get(TAG.compression)?.[0] ?? 1, parts, jpegTables };
}

const UNSIGNED = 1;
const UNDEFINED = 4;
const FORMATS: Record<number, string> = {
  1: 'whole numbers',
  2: 'signed numbers',
  3: 'floating-point numbers',
  5: 'complex numbers',
  6: 'complex numbers',
};

function isReduced({ values }: Directory): boolean {
  return ((values.get(TAG.newSubfileType)?.[0] ?? 0) & 1) === 1 || values.get(TAG.subfileType)?.[0] === 2;
}

function isRaw({ values }: Directory): boolean {
  return (
    values.has(TAG.dngVersion) ||
    RAW_PHOTOMETRIC.includes(values.get(TAG.photometric)?.[0] ?? 0) ||
    RAW_COMPRESSION.includes(values.get(TAG.compression)?.[0] ?? 0)
  );
}

/** Canon writes its name behind the header. */
const isCanonRaw = (bytes: Uint8Array) => bytes[8] === 0x43 && bytes[9] === 0x52;

const FIELD_SIZES: Record<number, number> = { 1: 1, 3: 2, 4: 4, 7: 1, 13: 4, 16: 8, 18: 8 };

class TiffReader {
  readonly #file: DataView;
  readonly isBigEndian: boolean;
  readonly #isBig: boolean;
  /** Places of directories that were read, so that none is read twice. */
  readonly #seen = new Set<number>();

  constructor(bytes: Uint8Array) {
    this.#file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.isBigEndian = bytes[0] === 0x4d;
    this.#isBig = this.#number(2, 2) === 43;
  }

  /** The directories of the file, one after another. */
  pages(): Directory[] {
    const pages: Directory[] = [];
    let at = this.#isBig ? this.#number(8, 8) : this.#number(4, 4);
    while (at !== 0 && pages.length < MOST_DIRECTORIES && !this.#seen.has(at)) {
      const { directory, next } = this.#read(at);
      if (directory === undefined) break;
      pages.push(directory);
      at = next;
    }
    return pages;
  }

  /** The directories that a directory names. */
  below({ values }: Directory): Directory[] {
    const places = (values.get(TAG.subDirectories) ?? []).filter((at) => !this.#seen.has(at));
    return places.flatMap((at) => this.#read(at).directory ?? []);
  }

  #read(at: number): { directory: Directory | undefined; next: number } {
    this.#seen.add(at);
    const [countSize, entrySize, placeSize] = this.#isBig ? [8, 20, 8] : [2, 12, 4];
    const count = this.#number(at, countSize);
    const end = at + countSize + count * entrySize;
    if (count === 0 || end > this.#file.byteLength) return { directory: undefined, next: 0 };
    const directory: Directory = { values: new Map(), photometricAt: 0 };
    for (let entry = at + countSize; entry < end; entry += entrySize) {
      const tag = this.#number(entry, 2);
      if (!READ.has(tag)) continue;
      const size = FIELD_SIZES[this.#number(entry + 2, 2)] ?? 0;
      const length = this.#number(entry + 4, placeSize);
      const inside = entry + 4 + placeSize;
      const from = size * length <= placeSize ? inside : this.#number(inside, placeSize);
      if (tag === TAG.photometric) directory.photometricAt = from;
      const most = LONG.has(tag) ? Math.min(MOST_PARTS, this.#file.byteLength) : MOST_VALUES;
      const values = Array.from({ length: size === 0 ? 0 : Math.min(length, most) }, (_, index) =>
        this.#number(from + index * size, size),
      );
      directory.values.set(tag, values);
    }
    return { directory, next: this.#number(end, placeSize) };
  }

  /** 0 beyond the end of the file. */
  #number(at: number, size: number): number {
    const isLittle = !this.isBigEndian;
    if (at + size > this.#file.byteLength) return 0;
    if (size === 1) return this.#file.getUint8(at);
    if (size === 2) return this.#file.getUint16(at, isLittle);
    if (size === 4) return this.#file.getUint32(at, isLittle);
    return Number(this.#file.getBigUint64(at, isLittle));
  }
}

/**
 * The colours of CIE L*a*b* samples as sRGB, for the white of the picture library, D65.
 * @param samples three a pixel, as bytes or 16 bits: L* from 0 to 100; a* and b* as signed numbers or, `signed` false, from -128 up.
 */
export function labToRgb(samples: Uint8Array | Uint16Array, signed: boolean): Uint8Array<ArrayBuffer> {
  const isWide = samples instanceof Uint16Array;
  const perUnit = isWide ? 256 : 1;
  // ICC's 16 bits end at FF00.
  const white = isWide && signed ? 65535 : 255 * perUnit;
  const rgb = new Uint8Array(samples.length);
  const chroma = (sample: number) => {
    const value = sample / perUnit;
    return signed ? (value >= 128 ? value - 256 : value) : value - 128;
  };
  for (let at = 0; at < samples.length; at += 3) {
    const lightness = Math.min(((samples[at] ?? 0) * 100) / white, 100);
    const y = (lightness + 16) / 116;
    const x = 0.95047 * cube(y + chroma(samples[at + 1] ?? 0) / 500);
    const z = 1.08883 * cube(y - chroma(samples[at + 2] ?? 0) / 200);
    const luminance = cube(y);
    rgb[at] = encodeSrgb(3.2404542 * x - 1.5371385 * luminance - 0.4985314 * z);
    rgb[at + 1] = encodeSrgb(-0.969266 * x + 1.8760108 * luminance + 0.041556 * z);
    rgb[at + 2] = encodeSrgb(0.0556434 * x - 0.2040259 * luminance + 1.0572252 * z);
  }
  return rgb;
}

const cube = (value: number) => (value > 6 / 29 ? value ** 3 : (value - 4 / 29) * 3 * (6 / 29) ** 2);

/** IEC 61966-2-1. */
function encodeSrgb(linear: number): number {
  const value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
  return Math.round(Math.min(Math.max(value, 0), 1) * 255);
}
