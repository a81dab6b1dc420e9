import ort from 'onnxruntime-node';
import { constantShape, type ConstantType, isConstantType } from '../../model-card/choose-inputs.js';
import type { ImageInput } from '../../model-card/schema.js';
import type { TensorSignature } from '../../model-card/signature.js';
import { planInput, sameSize } from '../pictures/geometry.js';
import { allocate, allocateTensor, createTensor, dimensionsOf, type TensorData, toHalf } from './tensor.js';
import { packPicture } from './pack.js';
import type { Picture, Size } from '../pictures/codec.js';

/**
 * Turns pictures of one size into an input tensor. Calls with the same number of pictures of the same size reuse one tensor.
 * @param fixed how many pictures the model takes at a time, undefined: any number. Where fewer come, copies of the first fill the tensor.
 */
export function createFeeder(image: ImageInput, fixed: number | undefined): (pictures: Picture[]) => ort.Tensor {
  let size: Size = { width: 0, height: 0 };
  let data: TensorData = allocate(image.type, 0);
  let tensor: ort.Tensor | undefined;
  return (pictures) => {
    const [first] = pictures;
    if (first === undefined) throw new RangeError('no pictures');
    const { padded } = planInput(image.size, first);
    const count = fixed ?? pictures.length;
    if (tensor === undefined || !sameSize(padded, size) || tensor.dims[0] !== count) {
      size = padded;
      const [, ...dimensions] = dimensionsOf(image, size);
      data = allocate(image.type, allocateTensor(image, size).length * count);
      tensor = createTensor(data, [count, ...dimensions]);
    }
    const length = data.length / count;
    pictures.forEach((picture, entry) =>
      packPicture(picture, image, padded, data.subarray(entry * length, (entry + 1) * length)),
    );
    for (let entry = pictures.length; entry < count; entry += 1) data.copyWithin(entry * length, 0, length);
    return tensor;
  };
}

/** The tensor for an input that always has these values, the last one repeated until it is full; free dimensions are taken as 1. */
export function constantTensor(tensor: TensorSignature, values: number[]): ort.Tensor {
  const { type } = tensor;
  if (!isConstantType(type)) throw new TypeError(`no constants of ${type}`);
  const shape = constantShape(tensor);
  const length = shape.reduce((product, side) => product * side, 1);
  const all = Array.from({ length }, (_, index) => values[index] ?? values.at(-1) ?? 0);
  return constantOf(type, all, shape);
}

function constantOf(type: ConstantType, values: number[], shape: number[]): ort.Tensor {
  switch (type) {
    case 'float32':
      return new ort.Tensor(type, Float32Array.from(values), shape);
    case 'float16':
      return new ort.Tensor(type, Uint16Array.from(values, toHalf), shape);
    case 'int32':
      return new ort.Tensor(type, Int32Array.from(values), shape);
    case 'int64':
      return new ort.Tensor(type, BigInt64Array.from(values, BigInt), shape);
    case 'uint8':
    case 'bool':
      break;
  }
  return new ort.Tensor(type, Uint8Array.from(values), shape);
}
