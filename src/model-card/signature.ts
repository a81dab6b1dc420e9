import { JobError } from '../job/failure.js';

/** What a model file says about its inputs and outputs: printed by `node dist/scorer/engine/inspect/inspect-main.js MODEL.onnx`. */
export interface ModelSignature {
  inputs: TensorSignature[];
  outputs: TensorSignature[];
  /** Left out where only the signature is known. */
  hints?: ModelHints;
}

/** What a run of the model showed. */
export interface TrialRun {
  /** Pixels of the picture that the model got. */
  input: { width: number; height: number };
  /** The shape of each output, by name. */
  outputs: Record<string, number[]>;
}

export interface TensorSignature {
  name: string;
  /** ONNX element type, e.g. `float32`. */
  type: string;
  /** A number where the dimension is fixed, its symbol (possibly empty) where it is free; empty when unknown. */
  shape: (number | string)[];
}

/** What a model file says besides its signature. */
export interface ModelHints {
  /** As the model's author wrote it, e.g. `Image.BitmapPixelFormat` (Windows ML). */
  metadata: Record<string, string>;
  /** What its author says about its tensors. */
  texts: string[];
  /** The operator that makes each output, e.g. `Softmax`. */
  makers: Record<string, string>;
  /** An operator that draws random numbers, if there is one: the model gives something else each time. */
  random?: string | undefined;
  /** Names of the classes whose scores an output holds, by output. */
  labels?: Record<string, string[]>;
}

export type Layout = 'NCHW' | 'NHWC';

/** Layout of a four-dimensional tensor in which exactly one of the two places for channels fits; undefined when it does not show. */
export function imageLayout(tensor: TensorSignature, channels: 1 | 3 = 3): Layout | undefined {
  if (tensor.shape.length !== 4) return undefined;
  const first = tensor.shape[1] === channels;
  const last = tensor.shape[3] === channels;
  if (first === last) return undefined;
  return first ? 'NCHW' : 'NHWC';
}

/**
 * The shape of a picture that lacks the dimension for the batch or for its one channel, with four dimensions: depth maps are
 * `[batch, height, width]` or `[height, width]`.
 */
export function pictureShape<T extends number | string>(shape: readonly T[]): (T | 1)[] {
  const [one, two, three] = shape;
  if (shape.length === 2) return [1, 1, ...shape];
  if (shape.length !== 3 || one === undefined || two === undefined || three === undefined) return [...shape];
  if (one === 3 || three === 3) return [1, one, two, three];
  return three === 1 ? [1, one, two, three] : [one, 1, two, three];
}

/** Whether each pixel of an output may have one value, such as its depth. */
export function isMap({ name, type, shape }: TensorSignature): boolean {
  if (type !== 'float32' && type !== 'float16') return false;
  if (shape.length === 4) return isDepth(name) && imageLayout({ name, type, shape }, 1) !== undefined;
  return shape.length === 2 || shape.length === 3;
}

/** By its name. */
export const isDepth = (name: string) => /depth|dispar/i.test(name);

/** In pixels; undefined where the dimension is free. */
export interface ImageSize {
  width?: number;
  height?: number;
}

/** Width and height of an image tensor. */
export function imageSize(tensor: TensorSignature, layout: Layout): ImageSize {
  const [height, width] = layout === 'NCHW' ? tensor.shape.slice(2) : tensor.shape.slice(1, 3);
  return {
    width: typeof width === 'number' ? width : undefined,
    height: typeof height === 'number' ? height : undefined,
  };
}

/** The tensor with the shape that it had in a run. */
export const asRun = (tensor: TensorSignature, run: TrialRun | undefined): TensorSignature => ({
  ...tensor,
  shape: run?.outputs[tensor.name] ?? tensor.shape,
});

/** Whether the scorer reads scores and boxes from tensors of this type. */
export const isReadable = ({ type }: TensorSignature) => ['float32', 'float16', 'uint8'].includes(type);

/** NumPy's names for ONNX element types, little endian: what a `.npy` file can hold. */
export const NPY_TYPES: Record<string, string> = {
  float32: '<f4',
  float16: '<f2',
  float64: '<f8',
  uint8: '|u1',
  int8: '|i1',
  uint16: '<u2',
  int16: '<i2',
  uint32: '<u4',
  int32: '<i4',
  uint64: '<u8',
  int64: '<i8',
  bool: '|b1',
};

/**
 * The tensor that a card names; undefined when it names none.
 * @param side `input` or `output`, for the error sentence.
 * @throws JobError `user`: the model has no tensor with this name.
 */
export function findTensor(
  tensors: TensorSignature[],
  name: string | undefined,
  side: string,
): TensorSignature | undefined {
  if (name === undefined) return undefined;
  const found = tensors.find((tensor) => tensor.name === name);
  if (found !== undefined) return found;
  throw new JobError(
    'user',
    `The model card names the ${side} "${name}", but the model has only ${describeTensors(tensors)}.`,
  );
}

/** What is no tensor of numbers: a list, a dictionary or a text. */
export const isTensor = ({ type }: TensorSignature) => type !== NO_TENSOR && type !== 'string';

/** Type of an input or output that is a list or a dictionary. */
export const NO_TENSOR = 'no tensor';

/** `"data_0" float16 [1,3,224,224]`, for sentences. */
export function describeTensor(tensor: TensorSignature): string {
  if (tensor.type === NO_TENSOR) return `"${tensor.name}" (a list or dictionary)`;
  if (tensor.type === 'string') return `"${tensor.name}" (a text)`;
  const shape = tensor.shape.map((dimension) => (dimension === '' ? '?' : dimension)).join(',');
  return `"${tensor.name}" ${tensor.type} [${shape}]`;
}

export function describeTensors(tensors: TensorSignature[]): string {
  return tensors.length === 0 ? 'none' : tensors.map(describeTensor).join(' and ');
}
