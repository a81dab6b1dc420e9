import ort from 'onnxruntime-node';
import { JobError } from '../../job/failure.js';
import type { ElementType, ImageTensor } from '../../model-card/schema.js';
import { fromHalves } from './half.js';
import type { Size } from '../pictures/picture.js';

/** Float16 tensors are their bits. */
export type TensorData = Float32Array | Uint16Array | Uint8Array;
/** What a model gave for one picture. */
export type OutputTensor = Pick<ort.Tensor, 'type' | 'dims' | 'data'>;
/** What a model gave, as numbers. */
export type TensorValues = Float32Array | Uint8Array;

export function channelsOf({ channels }: Pick<ImageTensor, 'channels'>): 1 | 3 {
  return channels === 'grey' || channels === 'Y' ? 1 : 3;
}

/** `[1,C,H,W]` or `[1,H,W,C]`. */
export function dimensionsOf(image: ImageTensor, { width, height }: Size): number[] {
  const channels = channelsOf(image);
  return image.layout === 'NHWC' ? [1, height, width, channels] : [1, channels, height, width];
}

/** An empty tensor for one picture of this size. */
export function allocateTensor(image: ImageTensor, { width, height }: Size): TensorData {
  return allocate(image.type, width * height * channelsOf(image));
}

export function allocate(type: ElementType, length: number): TensorData {
  if (type === 'uint8') return new Uint8Array(length);
  return type === 'float16' ? new Uint16Array(length) : new Float32Array(length);
}

export function createTensor(data: TensorData, dimensions: readonly number[]): ort.Tensor {
  if (data instanceof Uint8Array) return new ort.Tensor('uint8', data, dimensions);
  return data instanceof Uint16Array
    ? new ort.Tensor('float16', data, dimensions)
    : new ort.Tensor('float32', data, dimensions);
}

/** @throws JobError `item`: the model gave neither floats nor bytes. */
export function valuesOf(tensor: OutputTensor): TensorValues {
  const { data, type } = tensor;
  if (data instanceof Float32Array || data instanceof Uint8Array) return data;
  // A Float16Array where the JavaScript engine has one.
  if (type === 'float16' && ArrayBuffer.isView(data)) {
    return fromHalves(new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2));
  }
  throw new JobError('item', `the model gave ${type} values`);
}

/**
 * The values of a tensor as plain numbers, whatever their type.
 * @throws JobError `item`: the model gave texts.
 */
export function numbersOf({ type, dims, data }: OutputTensor): ArrayLike<number> {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Array.from(data, Number);
  if (type === 'float16' || !ArrayBuffer.isView(data)) return valuesOf({ type, dims, data });
  return data;
}

/**
 * The part of an output that belongs to one of the pictures that were scored together.
 * @param count how many they were, the ones that only fill up included.
 * @throws JobError `item`: the output is not divided by pictures; gives its shape.
 */
export function entryOf({ type, dims, data }: ort.Tensor, index: number, count: number): OutputTensor {
  if (count === 1) return { type, dims, data };
  const length = data.length / count;
  if (dims[0] !== count || !ArrayBuffer.isView(data))
    throw new JobError('item', `the model gave a tensor of shape [${dims.join(',')}] for ${count} pictures`);
  return { type, dims: [1, ...dims.slice(1)], data: data.subarray(index * length, (index + 1) * length) };
}

/**
 * Height and width of a model's output.
 * @throws JobError `item`: it is not one picture in the card's layout; gives the shape.
 */
export function outputSize(dims: readonly number[], image: ImageTensor): Size {
  const [count, ...rest] = dims;
  const { layout } = image;
  const [height, width, found] = layout === 'NHWC' ? rest : [rest[1], rest[2], rest[0]];
  const channels = channelsOf(image);
  if (dims.length === 4 && count === 1 && found === channels && height && width) return { width, height };
  const wanted = channels === 3 ? 'picture of three colours' : 'picture of one channel';
  throw new JobError('item', `the model gave a tensor of shape [${dims.join(',')}], not one ${layout} ${wanted}`);
}
