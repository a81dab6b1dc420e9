import { JobError } from '../../job/failure.js';
import type { ImageTensor } from '../../model-card/schema.js';
import { brightnessOf, ofChannel } from './pack.js';
import type { Picture, Size } from '../pictures/codec.js';
import { channelsOf, type TensorValues } from './tensor.js';

/** `byte = value * factor + offset`. */
interface ToByte {
  factor: number;
  offset: number;
}

/**
 * Reads the upper left `crop` of a model's output back into bytes: undoes the card's mean, deviation and range, clamps, and
 * rounds to the nearest (halves to even). One channel becomes grey.
 * @param size of the whole output.
 * @throws JobError `item`: some values are NaN or infinite; says how many.
 */
export function unpackPicture(output: TensorValues, image: ImageTensor, size: Size, crop: Size): Picture {
  const single = channelsOf(image) === 1;
  const step = image.layout === 'NHWC' && !single ? 3 : 1;
  const plane = single ? 0 : image.layout === 'NHWC' ? 1 : size.width * size.height;
  const [red, blue] = image.channels === 'BGR' ? [2, 0] : [0, 2];
  const first = toByte(image, red);
  const second = toByte(image, single ? 0 : 1);
  const third = toByte(image, single ? 0 : blue);
  const bytes = new Uint8ClampedArray(crop.width * crop.height * 3);
  let poison = 0;
  for (let y = 0, to = 0; y < crop.height; y += 1) {
    let from = y * size.width * step;
    for (let x = 0; x < crop.width; x += 1, from += step, to += 3) {
      const one = output[from + red * plane] ?? 0;
      const two = output[from + plane] ?? 0;
      const three = output[from + blue * plane] ?? 0;
      const sum = one + two + three;
      // Stays 0 for finite values; NaN and infinities turn it into NaN for good.
      poison += sum - sum;
      bytes[to] = one * first.factor + first.offset;
      bytes[to + 1] = two * second.factor + second.offset;
      bytes[to + 2] = three * third.factor + third.offset;
    }
  }
  if (poison !== 0) refuseNotFinite(output);
  return { ...crop, data: new Uint8Array(bytes.buffer) };
}

/** The lowest and the highest value in the upper left `crop` of an output; one above the lowest where all are the same. */
export function spanOf(
  output: TensorValues,
  image: Pick<ImageTensor, 'layout' | 'channels'>,
  size: Size,
  crop: Size,
): [number, number] {
  const channels = channelsOf(image);
  const [rows, across] = image.layout === 'NHWC' ? [1, channels] : [channels, 1];
  let [low, high] = [Infinity, -Infinity];
  for (let row = 0; row < rows * size.height; row += 1) {
    if (row % size.height >= crop.height) continue;
    const from = row * size.width * across;
    for (let at = from; at < from + crop.width * across; at += 1) {
      const value = output[at] ?? 0;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high > low ? high : low + 1];
}

function toByte({ range: [low, high], mean, std }: ImageTensor, channel: number): ToByte {
  const scale = 255 / (high - low);
  return { factor: ofChannel(std, channel, 1) * scale, offset: (ofChannel(mean, channel, 0) - low) * scale };
}

/** @throws JobError `item`: some values are NaN or infinite; says how many. */
export function refuseNotFinite(output: TensorValues | Float64Array): void {
  let bad = 0;
  for (const value of output) if (!Number.isFinite(value)) bad += 1;
  if (bad > 0)
    throw new JobError('item', `the model gave ${bad} of ${output.length} values that are not finite numbers`);
}

/** Gives a grey picture the colours of another one, which is enlarged to its size: brightness from here, the rest from there. */
export function addColours(grey: Picture, frame: Picture): Picture {
  const { width, height } = grey;
  const data = new Uint8ClampedArray(width * height * 3);
  const across = samplesOf(width, frame.width);
  const down = samplesOf(height, frame.height);
  for (let y = 0, at = 0; y < height; y += 1) {
    const [top, bottom, low] = down[y] ?? [0, 0, 0];
    for (let x = 0; x < width; x += 1, at += 3) {
      const [left, right, far] = across[x] ?? [0, 0, 0];
      const mix = (channel: number) => {
        const value = (row: number, column: number) => frame.data[(row * frame.width + column) * 3 + channel] ?? 0;
        const above = value(top, left) * (1 - far) + value(top, right) * far;
        return above * (1 - low) + (value(bottom, left) * (1 - far) + value(bottom, right) * far) * low;
      };
      const [red, green, blue] = [mix(0), mix(1), mix(2)];
      const change = (grey.data[at] ?? 0) - brightnessOf(red, green, blue);
      data[at] = red + change;
      data[at + 1] = green + change;
      data[at + 2] = blue + change;
    }
  }
  return { width, height, data: new Uint8Array(data.buffer) };
}

/** For each of `count` positions the two of `from` it lies between, and how near the second is (0..1). */
function samplesOf(count: number, from: number): [number, number, number][] {
  return Array.from({ length: count }, (_, index) => {
    const at = Math.min(Math.max(((index + 0.5) * from) / count - 0.5, 0), from - 1);
    const before = Math.floor(at);
    return [before, Math.min(before + 1, from - 1), at - before];
  });
}
