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
