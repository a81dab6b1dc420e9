/** The kinds of picture that can be items. */
export type PictureKind = 'jpeg' | 'png' | 'webp' | 'avif' | 'tiff' | 'bmp' | 'gif';

/** What a sentence calls them. */
export const PICTURE_KINDS = 'JPEG, PNG, WebP, AVIF, TIFF, BMP or GIF';

/** Bytes from the start of a file that `pictureKind` looks at. */
export const KIND_BYTES = 64;

/** The first bytes of each kind, one character a byte. BMP has the size of its second header, AVIF its brand in a list. */
const SIGNATURES: [PictureKind, RegExp][] = [
  ['jpeg', /^\u00ff\u00d8\u00ff/],
  ['png', /^\u0089PNG/],
  ['webp', /^RIFF.{4}WEBP/s],
  ['avif', /^.{4}ftyp(?:.{4})*?avi[fs]/s],
  ['tiff', /^(?:II[*+]|MM.[*+])/s],
  ['bmp', /^BM.{12}[\f(48@l|]/s],
  ['gif', /^GIF8[79]a/],
];

/** What kind of picture a file is by its content, whatever its name; undefined when it is none of them. */
export function pictureKind(start: Uint8Array): PictureKind | undefined {
  const text = String.fromCharCode(...start.subarray(0, KIND_BYTES));
  return SIGNATURES.find(([, signature]) => signature.test(text))?.[0];
}

/** Whether a file's name says that it is a picture. */
export function isNamedAsPicture(name: string): boolean {
  return /\.(?:jpe?g|jpe|jfif|png|webp|avif|tiff?|bmp|dib|gif)$/i.test(name);
}
