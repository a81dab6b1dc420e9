import type { ImageTensor } from '../job/model-card.js';
import { JobError } from '../job/failure.js';
import type { Picture, Size } from './picture.js';

export type TensorData = Float32Array | Uint8Array;

/** Where the value of colour `channel` (0 red) of the pixel `index` lies: `base[channel] + index * step`. */
interface Strides {
  step: number;
  base: [number, number, number];
}

function stridesOf({ layout, channels }: ImageTensor, { width, height }: Size): Strides {
  const step = layout === 'NHWC' ? 3 : 1;
  const plane = layout === 'NHWC' ? 1 : width * height;
  return { step, base: channels === 'RGB' ? [0, plane, 2 * plane] : [2 * plane, plane, 0] };
}

/** `[1,3,H,W]` or `[1,H,W,3]`. */
export function dimensionsOf({ layout }: ImageTensor, { width, height }: Size): number[] {
  return layout === 'NHWC' ? [1, height, width, 3] : [1, 3, height, width];
}

/** An empty tensor for one picture of this size. */
export function allocateTensor(image: ImageTensor, { width, height }: Size): TensorData {
  const length = width * height * 3;
  return image.type === 'uint8' ? new Uint8Array(length) : new Float32Array(length);
}

/**
 * Writes a picture into a tensor of the size `padded`, bytes 0..255 mapped to the card's range; what lies right of and below
 * the picture repeats its last column and row.
 */
export function packPicture(picture: Picture, image: ImageTensor, padded: Size, into: TensorData): void {
  const values = valuesOfBytes(image);
  const { step, base } = stridesOf(image, padded);
  const { width, height, data } = picture;
  for (let channel = 0; channel < 3; channel += 1) {
    for (let y = 0; y < padded.height; y += 1) {
      let from = Math.min(y, height - 1) * width * 3 + channel;
      let to = (base[channel] ?? 0) + y * padded.width * step;
      for (let x = 0; x < width; x += 1, from += 3, to += step) into[to] = values[data[from] ?? 0] ?? 0;
      const last = values[data[from - 3] ?? 0] ?? 0;
      for (let x = width; x < padded.width; x += 1, to += step) into[to] = last;
    }
  }
}

/** The tensor value of each byte. */
function valuesOfBytes({ type, range: [low, high] }: ImageTensor): TensorData {
  const values = Array.from({ length: 256 }, (_, byte) => low + (byte * (high - low)) / 255);
  return type === 'uint8' ? Uint8Array.from(values, Math.round) : Float32Array.from(values);
}

/**
 * Reads the upper left `crop` of a model's output back into bytes: the card's range mapped to 0..255, clamped, rounded to
 * the nearest (halves to even).
 * @param size of the whole output.
 * @throws JobError `item`: some values are NaN or infinite; says how many.
 */
export function unpackPicture(output: TensorData, image: ImageTensor, size: Size, crop: Size): Picture {
  const [low, high] = image.range;
  const factor = 255 / (high - low);
  const { step, base } = stridesOf(image, size);
  const bytes = new Uint8ClampedArray(crop.width * crop.height * 3);
  let poison = 0;
  for (let channel = 0; channel < 3; channel += 1) {
    let to = channel;
    for (let y = 0; y < crop.height; y += 1) {
      let from = (base[channel] ?? 0) + y * size.width * step;
      for (let x = 0; x < crop.width; x += 1, from += step, to += 3) {
        const value = output[from] ?? 0;
        // Stays 0 for finite values; NaN and infinities turn it into NaN for good.
        poison += value - value;
        bytes[to] = (value - low) * factor;
      }
    }
  }
  if (poison !== 0) throw notFinite(output);
  return { ...crop, data: new Uint8Array(bytes.buffer) };
}

function notFinite(output: TensorData): JobError {
  let bad = 0;
  for (const value of output) if (!Number.isFinite(value)) bad += 1;
  return new JobError('item', `the model gave ${bad} of ${output.length} values that are not finite numbers`);
}

/**
 * Height and width of a model's output.
 * @throws JobError `item`: it is not one picture of three colours in the card's layout; gives the shape.
 */
export function outputSize(dims: readonly number[], { layout }: ImageTensor): Size {
  const [batch, ...rest] = dims;
  const [height, width, colours] = layout === 'NHWC' ? rest : [rest[1], rest[2], rest[0]];
  if (dims.length === 4 && batch === 1 && colours === 3 && height && width) return { width, height };
  throw new JobError(
    'item',
    `the model gave a tensor of shape [${dims.join(',')}], not one ${layout} picture of three colours`,
  );
}
