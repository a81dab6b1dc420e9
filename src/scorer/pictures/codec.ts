import { FRAME_FORMATS, type FrameFormat } from '../../job/items/formats.js';

/** Decoded pixels: `width * height * 3` bytes of sRGB, row by row from the top, without padding; masks have one byte a pixel. */
export interface Picture {
  width: number;
  height: number;
  data: Uint8Array<ArrayBuffer>;
}

export interface Size {
  width: number;
  height: number;
}

export { MOST_PICTURE_PIXELS as PIXEL_LIMIT } from '../../job/items/formats.js';

/**
 * Pictures from bytes and back. Decoding turns everything into 8-bit RGB: EXIF rotation applied, grey and palette spread
 * to three channels, 16 bits cut to 8, transparent pixels over black, the first picture of several.
 */
export interface Codec {
  readonly name: 'sharp' | 'jimp';
  /**
   * @param format `ppm` for a frame that is stored so; what all other files are is told by their content.
   * @throws JobError `item`: no picture this codec can read, or one of more than `PIXEL_LIMIT` pixels.
   */
  decode(bytes: Uint8Array, format?: FrameFormat): Promise<Picture>;
  /** JPEG at quality 95. */
  encode(picture: Picture, format: FrameFormat): Promise<Buffer>;
  /** One byte a pixel as a grey PNG, bit by bit. */
  encodeMask(mask: Picture): Promise<Buffer>;
  /** The whole picture at another size, proportions not kept. */
  resize(picture: Picture, size: Size): Promise<Picture>;
}

/** The format of pictures with this ending; PNG where it names none. */
export const formatOf = (ending: string): FrameFormat => FRAME_FORMATS.find((format) => format === ending) ?? 'png';
