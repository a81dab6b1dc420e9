/** The pictures and videos that a job reads and writes: what they are, what they are called, and their content types. */

// Pictures that come in

/** The kinds of picture that can be items. */
export type PictureKind = 'jpeg' | 'png' | 'webp' | 'avif' | 'tiff' | 'bmp' | 'gif';

/** All of them, for sentences. */
export const PICTURE_KINDS = 'JPEG, PNG, WebP, AVIF, TIFF, BMP or GIF';

/** How many bytes from the start of a file `pictureKind` looks at. */
export const KIND_BYTES = 64;

/** The first bytes of each kind, one character a byte. A BMP has the size of its second header there, an AVIF its brand in a list. */
const SIGNATURES: [PictureKind, RegExp][] = [
  ['jpeg', /^\u00ff\u00d8\u00ff/],
  ['png', /^\u0089PNG/],
  ['webp', /^RIFF.{4}WEBP/s],
  ['avif', /^.{4}ftyp(?:.{4})*?avi[fs]/s],
  ['tiff', /^(?:II[*+]|MM.[*+])/s],
  ['bmp', /^BM.{12}[\f(48@l|]/s],
  ['gif', /^GIF8[79]a/],
];

/** The kind of a picture by its content, whatever its name is; undefined when the file is no picture. */
export function pictureKind(start: Uint8Array): PictureKind | undefined {
  const text = String.fromCharCode(...start.subarray(0, KIND_BYTES));
  return SIGNATURES.find(([, signature]) => signature.test(text))?.[0];
}

/** Files that people take for pictures and that cannot be items. */
export interface OtherKind {
  /** One of them: `a HEIC file`. */
  one: string;
  /** What they are called after a number: `HEIC file`. */
  noun: string;
  /** What to do with them. */
  advice: string;
}

const CONVERT = 'convert it to JPEG or PNG first';
const CONVERT_HEIC = 'convert it to JPEG or PNG first, with sips on a Mac, with heif-convert or ImageMagick elsewhere';
const DEVELOP = 'develop it to JPEG, PNG or TIFF first';
const otherKindOf = (adjective: string, one = `a ${adjective} file`, advice = CONVERT): OtherKind => ({
  one,
  noun: `${adjective} file`,
  advice,
});

/** What macOS puts beside each file on volumes of other systems: `._a.jpg` beside `a.jpg`. */
export const MAC_METADATA = otherKindOf('macOS metadata', 'a metadata file of macOS', 'no picture is missing with it');
const MAC_NAME = /(?:^|\/)\._[^/]*$/;

export const VIDEO = otherKindOf('video', 'a video', 'score it as a video');

/** Their first bytes do not tell them from other files. */
const NO_START = /^(?!)/;

/** By name and by first bytes; the bytes come in the order in which they are tried. */
const OTHER_KINDS: [OtherKind, name: RegExp, start: RegExp][] = [
  [MAC_METADATA, MAC_NAME, NO_START],
  [
    otherKindOf('HEIC', 'a HEIC file', CONVERT_HEIC),
    /\.(?:heic|heif|hif|heics)$/i,
    /^.{4}ftyp(?:.{4})*?(?:hei[cxmsfv]|hev[cxms]|mif[12]|msf1)/s,
  ],
  [
    otherKindOf('camera raw', 'a raw file of a camera', DEVELOP),
    /\.(?:dng|nef|nrw|cr2|cr3|crw|arw|srf|sr2|orf|rw2|rwl|raw|raf|pef|srw|3fr|fff|iiq|mos|mef|mrw|x3f|erf|kdc|dcr|dcs|gpr)$/i,
    /^(?:IIU\0|IIR[OS]|MMOR|FUJIFILMCCD-RAW|.{4}ftypcrx |II.{4}HEAPCCDR|FOVb|\0MRM)/s,
  ],
  [otherKindOf('JPEG XL'), /\.jxl$/i, /^(?:\u00ff\n|\0\0\0\fJXL )/],
  [otherKindOf('JPEG 2000'), /\.(?:jp2|j2k|jpf|jpx|j2c)$/i, /^(?:\0\0\0\fjP {2}|\u00ffO\u00ffQ)/],
  [
    otherKindOf('SVG', 'an SVG drawing', 'render it as PNG first'),
    /\.svgz?$/i,
    /^(?:\u00ef\u00bb\u00bf)?\s*<(?:\?xml[^]*<svg|svg|!DOCTYPE svg)/i,
  ],
  [otherKindOf('Photoshop'), /\.(?:psd|psb)$/i, /^8BPS/],
  [otherKindOf('PDF', 'a PDF document', 'save its pages as PNG first'), /\.pdf$/i, /^%PDF/],
  [otherKindOf('icon', 'an icon file'), /\.(?:ico|cur|icns)$/i, NO_START],
  [otherKindOf('OpenEXR', 'an OpenEXR file'), /\.exr$/i, /^v\/1/],
  [otherKindOf('Radiance HDR'), /\.hdr$/i, /^#\?R/],
  [otherKindOf('PNM'), /\.(?:p[bgpn]m|pam|pfm)$/i, /^P[1-7Ff]\s/],
  [otherKindOf('TGA'), /\.tga$/i, NO_START],
  [otherKindOf('DDS'), /\.dds$/i, /^DDS /],
  [VIDEO, /\.(?:mp4|m4v|mov|mkv|webm|avi|mts|m2ts|mpe?g|wmv|3gp)$/i, /^(?:.{4}ftyp|.E\u00df\u00a3|RIFF.{4}AVI )/s],
];

/** What a file is by its first bytes, when it is no picture that can be an item but one of its relatives. */
export function otherKind(start: Uint8Array): OtherKind | undefined {
  const text = String.fromCharCode(...start.subarray(0, KIND_BYTES));
  return OTHER_KINDS.find(([, , signature]) => signature.test(text))?.[0];
}

/** What a file in an image folder is; undefined: nothing that has to do with pictures. */
export type FileKind = 'picture' | OtherKind | undefined;

/** By its name; undefined when the name does not tell. */
export function fileKindByName(name: string): FileKind {
  if (isNamedAsPicture(name)) return 'picture';
  return OTHER_KINDS.find(([, ending]) => ending.test(name))?.[0];
}

/** By its first `KIND_BYTES` bytes. */
export const fileKindByStart = (start: Uint8Array): FileKind =>
  pictureKind(start) === undefined ? otherKind(start) : 'picture';

/** Whether a file is a picture by its name. */
export function isNamedAsPicture(name: string): boolean {
  return /\.(?:jpe?g|jpe|jfif|png|webp|avif|tiff?|bmp|dib|gif)$/i.test(name) && !MAC_NAME.test(name);
}

/** Larger pictures are neither read nor made: they are refused before their pixels are allocated. */
export const MOST_PICTURE_PIXELS = 100_000_000;

// Frames and scored pictures

/**
 * `ppm` is the pixels as they are, `png` is lossless too, `jpg` is JPEG at high quality. The same words are the endings of their blobs.
 */
export const FRAME_FORMATS = ['ppm', 'png', 'jpg'] as const;
export type FrameFormat = (typeof FRAME_FORMATS)[number];
/** For frames, which nobody but the job looks at, what takes the least time: see docs/lab/frames.md. */
export const DEFAULT_FRAME_FORMAT: FrameFormat = 'ppm';
/** For the pictures of a folder, which are delivered as they are stored. */
export const DEFAULT_IMAGE_FORMAT: FrameFormat = 'png';

// Videos that go out

export const VIDEO_CODECS = ['h264', 'h265', 'vp9', 'ffv1'] as const;
export type VideoCodec = (typeof VIDEO_CODECS)[number];
export const DEFAULT_CODEC: VideoCodec = 'h264';

/** `good` is hard to tell from the frames; `best` is for further work; `small` is for sending. */
export const QUALITIES = ['small', 'good', 'best'] as const;
export type Quality = (typeof QUALITIES)[number];

/** The kinds of file that a video can become, by ending, each with the codecs that it can hold and that players expect in it. */
const HOLDS: Record<string, readonly VideoCodec[]> = {
  '.mp4': ['h264', 'h265', 'vp9'],
  '.m4v': ['h264', 'h265'],
  '.mov': ['h264', 'h265'],
  '.mkv': VIDEO_CODECS,
  '.webm': ['vp9'],
};

export const VIDEO_ENDINGS = Object.keys(HOLDS);

/** `.mp4` of `outbox/Coast.MP4`; '' for a name without an ending. */
export const endingOf = (name: string) => /\.[^./]+$/.exec(name)?.[0].toLowerCase() ?? '';

/** What is wrong with the choice of codec and quality for a file with this name; undefined when nothing is. */
export function outputProblem({ video, codec, quality }: { video?: string; codec: VideoCodec; quality?: Quality }) {
  if (codec === 'ffv1' && quality) return 'has a "quality", but ffv1 is lossless; leave it out';
  const ending = video === undefined ? '' : endingOf(video);
  const held = HOLDS[ending];
  if (video === undefined || held?.includes(codec)) return undefined;
  if (!held) return `has a "video" that must end in ${VIDEO_ENDINGS.join(', ')}`;
  const others = VIDEO_ENDINGS.filter((other) => HOLDS[other]?.includes(codec));
  return `asks for ${codec}, which ${ending} cannot hold; name it ${others.join(' or ')}, or set "codec" to ${held.join(' or ')}`;
}

/** The longest side that encoders and decoders of these codecs take. */
const LONGEST_SIDE = 16_384;

/** What is wrong with the size of a video; undefined when nothing is. */
export function sizeProblem({ width, height }: { width: number; height: number }, codec: VideoCodec) {
  if (width * height > MOST_PICTURE_PIXELS) return `at most ${MOST_PICTURE_PIXELS} pixels are made`;
  const held = codec === 'ffv1' || Math.max(width, height) <= LONGEST_SIDE;
  return held ? undefined : `${codec} holds at most ${LONGEST_SIDE} pixels a side`;
}

// Everything that is stored

const CONTENT_TYPES: Record<string, string> = {
  '.ppm': 'image/x-portable-pixmap',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.mp4': 'video/mp4',
  '.m4v': 'video/mp4',
  '.mov': 'video/quicktime',
  '.mkv': 'video/x-matroska',
  '.webm': 'video/webm',
  '.json': 'application/json',
  '.jsonl': 'application/jsonl',
  '.csv': 'text/csv; charset=utf-8',
  '.zip': 'application/zip',
  '.npz': 'application/zip',
};

/** The content type of a blob by the ending of its name. */
export const contentTypeOf = (name: string) => CONTENT_TYPES[endingOf(name)] ?? 'application/octet-stream';
