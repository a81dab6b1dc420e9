import type { ImageTensor } from '../../model-card/schema.js';
import { allocate, channelsOf, type TensorData, toHalf } from './tensor.js';
import type { Picture, Size } from '../pictures/codec.js';

/** Bytes to tensor values: for each of the three colours, or for brightness. */
type ByteValues = [TensorData, TensorData, TensorData];

/**
 * Writes a picture into the first entry of a tensor of the size `padded`, bytes 0..255 mapped as the card says; what lies
 * right of and below the picture repeats its last column and row.
 */
export function packPicture(picture: Picture, image: ImageTensor, padded: Size, into: TensorData): void {
  const values = valuesOfBytes(image);
  if (channelsOf(image) === 1) packBrightness(picture, values[0], padded, into);
  else packColours(picture, image, values, padded, into);
}

function packColours(
  { width, height, data }: Picture,
  { layout, channels }: ImageTensor,
  [reds, greens, blues]: ByteValues,
  padded: Size,
  into: TensorData,
): void {
  const step = layout === 'NHWC' ? 3 : 1;
  const plane = layout === 'NHWC' ? 1 : padded.width * padded.height;
  const [red, blue] = channels === 'BGR' ? [2 * plane, 0] : [0, 2 * plane];
  for (let y = 0; y < padded.height; y += 1) {
    let from = Math.min(y, height - 1) * width * 3;
    let to = y * padded.width * step;
    for (let x = 0; x < padded.width; x += 1, to += step) {
      into[to + red] = reds[data[from] ?? 0] ?? 0;
      into[to + plane] = greens[data[from + 1] ?? 0] ?? 0;
      into[to + blue] = blues[data[from + 2] ?? 0] ?? 0;
      if (x < width - 1) from += 3;
    }
  }
}

function packBrightness({ width, height, data }: Picture, values: TensorData, padded: Size, into: TensorData): void {
  for (let y = 0; y < padded.height; y += 1) {
    const row = Math.min(y, height - 1) * width * 3;
    for (let x = 0; x < padded.width; x += 1) {
      const from = row + Math.min(x, width - 1) * 3;
      const brightness = brightnessOf(data[from] ?? 0, data[from + 1] ?? 0, data[from + 2] ?? 0);
      into[y * padded.width + x] = values[Math.round(brightness)] ?? 0;
    }
  }
}

/** 0..255, as JPEG weighs the colours (BT.601, full range). */
export function brightnessOf(red: number, green: number, blue: number): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

/** The tensor value of each byte in red, green and blue (or all alike). */
function valuesOfBytes(image: ImageTensor): ByteValues {
  const { type, range, channels } = image;
  const [low, high] = range;
  const table = (channel: number): TensorData => {
    const mean = ofChannel(image.mean, channel, 0);
    const std = ofChannel(image.std, channel, 1);
    const values = allocate(type, 256);
    for (let byte = 0; byte < 256; byte += 1) {
      const value = (low + (byte * (high - low)) / 255 - mean) / std;
      values[byte] = type === 'float32' ? value : type === 'float16' ? toHalf(value) : Math.round(value);
    }
    return values;
  };
  return channels === 'BGR' ? [table(2), table(1), table(0)] : [table(0), table(1), table(2)];
}

/** A card's number for a channel of the tensor; a single number is for all. */
export function ofChannel(values: number[] | undefined, channel: number, otherwise: number): number {
  return values?.[channel] ?? values?.[0] ?? otherwise;
}
