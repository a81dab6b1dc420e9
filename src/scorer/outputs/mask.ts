import { JobError } from '../../job/failure.js';
import type { MaskOutput } from '../../model-card/schema.js';
import { cropOf, type InputPlan } from '../pictures/geometry.js';
import type { Picture, Size } from '../pictures/codec.js';
import { type OutputTensor, valuesOf } from '../tensors/tensor.js';
import { refuseNotFinite } from '../tensors/unpack.js';

/** A model's output of one picture, as channels of one size. */
interface Channels extends Size {
  count: number;
  /** Distance in the values from one pixel to the next, and from one channel to the next. */
  step: number;
  plane: number;
}

/**
 * The class of each pixel of the frame (255 for what a threshold finds), without padding, in the size that the model gives.
 * @throws JobError `item`: the tensor is no mask, or holds values that are no numbers or no classes.
 */
export function readMask(tensor: OutputTensor, card: MaskOutput, plan: InputPlan): Picture {
  const channels = channelsOf(tensor.dims, card);
  const { width, height } = cropOf(channels, plan, card);
  const values = card.method === 'ids' ? idsOf(tensor) : valuesOf(tensor);
  if (card.method !== 'ids') refuseNotFinite(valuesOf(tensor));
  const classify = classifier(values, channels, card);
  const data = new Uint8Array(width * height);
  for (let y = 0, to = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, to += 1) data[to] = classify((y * channels.width + x) * channels.step);
  }
  return { width, height, data };
}

/** Finds the class of the pixel whose first value is at this index. */
function classifier(
  values: ArrayLike<number>,
  { count, plane }: Channels,
  { method, threshold }: MaskOutput,
): (at: number) => number {
  if (method === 'threshold') return (at) => ((values[at] ?? 0) >= threshold ? 255 : 0);
  if (method === 'ids') return (at) => values[at] ?? 0;
  return (at) => {
    let best = 0;
    for (let channel = 1; channel < count; channel += 1)
      if ((values[at + channel * plane] ?? 0) > (values[at + best * plane] ?? 0)) best = channel;
    return best;
  };
}

function channelsOf(dims: readonly number[], { layout, method }: MaskOutput): Channels {
  const [batch, ...rest] = dims;
  const shape = rest.length === 2 ? [1, ...rest] : layout === 'NCHW' ? rest : [rest[2], rest[0], rest[1]];
  const [count = 0, height = 0, width = 0] = shape;
  const last = layout === 'NHWC' && rest.length === 3;
  const right = batch === 1 && shape.length === 3 && width > 0 && height > 0 && count <= 256;
  if (right && (method === 'argmax' ? count > 1 : count === 1))
    return { width, height, count, step: last ? count : 1, plane: last ? 1 : width * height };
  throw new JobError(
    'item',
    `the model gave a tensor of shape [${dims.join(',')}], which is no mask by ${method} with the layout ${layout}`,
  );
}

function idsOf({ data, type }: OutputTensor): ArrayLike<number> {
  const ids =
    data instanceof BigInt64Array
      ? Array.from(data, Number)
      : data instanceof Int32Array || data instanceof Uint8Array || data instanceof Float32Array
        ? data
        : undefined;
  if (ids === undefined) throw new JobError('item', `the model gave ${type} values, which are no classes`);
  const bad = Array.prototype.findIndex.call(ids, (id: number) => !Number.isInteger(id) || id < 0 || id > 255);
  if (bad >= 0) throw new JobError('item', `the model gave the class ${ids[bad]}, and a mask holds 0 to 255`);
  return ids;
}

/** Resizes a mask by taking the nearest pixel, so that classes do not mix. */
export function resizeMask(mask: Picture, { width, height }: Size): Picture {
  if (mask.width === width && mask.height === height) return mask;
  const data = new Uint8Array(width * height);
  const columns = Array.from({ length: width }, (_, x) => Math.floor(((x + 0.5) * mask.width) / width));
  for (let y = 0, to = 0; y < height; y += 1) {
    const row = Math.floor(((y + 0.5) * mask.height) / height) * mask.width;
    for (const column of columns) {
      data[to] = mask.data[row + column] ?? 0;
      to += 1;
    }
  }
  return { width, height, data };
}
