import ort from 'onnxruntime-node';
import { JobError } from '../../job/failure.js';
import type { ElementType, ImageTensor } from '../../model-card/schema.js';
import { pictureShape } from '../../model-card/signature.js';
import type { Size } from '../pictures/codec.js';

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
 * @param count how many pictures were scored, with the copies that only fill up the tensor.
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
export function outputSize(dims: readonly number[], image: Pick<ImageTensor, 'layout' | 'channels'>): Size {
  const shape = pictureShape(dims);
  const [count, ...rest] = shape;
  const { layout } = image;
  const [height, width, found] = layout === 'NHWC' ? rest : [rest[1], rest[2], rest[0]];
  const channels = channelsOf(image);
  if (shape.length === 4 && count === 1 && found === channels && height && width) return { width, height };
  const wanted = channels === 3 ? 'picture of three colours' : 'picture of one channel';
  throw new JobError('item', `the model gave a tensor of shape [${dims.join(',')}], not one ${layout} ${wanted}`);
}

// Float16 as its 16 bits, which is what onnxruntime-node takes and gives on Node 20.

const word = new DataView(new ArrayBuffer(4));
let table: Float32Array | undefined;

/** The nearest float16; halves to even, too large ones to infinity. */
export function toHalf(value: number): number {
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  if (Number.isNaN(value)) return sign | 0x7e00;
  const size = Math.abs(value);
  if (size >= 65_520) return sign | 0x7c00;
  // Below the smallest normal number steps are 2^-24; a mantissa that overflows carries into the exponent.
  if (size < 2 ** -14) return sign | halfToEven(size * 2 ** 24);
  const exponent = ((bits >>> 23) & 0xff) - 127;
  return sign | (((exponent + 15) << 10) + halfToEven((size / 2 ** exponent - 1) * 1024));
}

/** All values of a float16 tensor as float32. */
export function fromHalves(halves: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: 65_536 }, (_, bits) => fromHalf(bits));
  const values = new Float32Array(halves.length);
  for (let index = 0; index < values.length; index += 1) values[index] = table[halves[index] ?? 0] ?? 0;
  return values;
}

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function halfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
