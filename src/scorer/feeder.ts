import type ort from 'onnxruntime-node';
import { JobError } from '../job/failure.js';
import type { ElementType, ImageInput } from '../job/model-card.js';
import type { TensorSignature } from '../job/model-signature.js';
import { planInput, sameSize } from './geometry.js';
import { toHalf } from './half.js';
import { packPicture } from './pack.js';
import type { Picture, Size } from './picture.js';
import { allocate, allocateTensor, createTensor, dimensionsOf, type TensorData } from './tensor.js';

/**
 * Turns pictures of one size into an input tensor; calls for as many pictures of one size share one tensor.
 * @param fixed how many pictures the model takes at a time: fewer are filled up with the first one; undefined: any number.
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

/**
 * The tensor for an input that always has the same values; free dimensions are taken as 1.
 * @throws JobError `user`: more values than the tensor holds, or of a type that is not written.
 */
export function constantTensor({ name, type, shape }: TensorSignature, values: number[]): ort.Tensor {
  if (!isElementType(type)) {
    throw new JobError(
      'user',
      `The model's input "${name}" is ${type}: constants are possible for float32, float16 and uint8.`,
    );
  }
  const dimensions = shape.map((dimension) => (typeof dimension === 'number' ? dimension : 1));
  const data = allocate(
    type,
    dimensions.reduce((product, dimension) => product * dimension, 1),
  );
  if (values.length > data.length) {
    throw new JobError('user', `The model card gives "${name}" ${values.length} values, but it holds ${data.length}.`);
  }
  const last = values.at(-1) ?? 0;
  for (let index = 0; index < data.length; index += 1) {
    const value = values[index] ?? last;
    data[index] = type === 'float16' ? toHalf(value) : value;
  }
  return createTensor(data, dimensions);
}

function isElementType(type: string): type is ElementType {
  return type === 'float32' || type === 'float16' || type === 'uint8';
}
