import type { PartialCard } from './card-schema.js';
import { JobError } from '../job/failure.js';
import { find } from './find-tensor.js';
import { describeTensor, type TensorSignature } from './model-signature.js';

/** ONNX element types that constants can be given for, with the whole numbers that each holds; undefined: any numbers. */
const CONSTANT_TYPES = {
  float32: undefined,
  float16: undefined,
  uint8: [0, 255],
  bool: [0, 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
} as const;
export type ConstantType = keyof typeof CONSTANT_TYPES;

export function isConstantType(type: string): type is ConstantType {
  return Object.hasOwn(CONSTANT_TYPES, type);
}

/** The shape of a constant's tensor: free dimensions count as 1. */
export function constantShape({ shape }: TensorSignature): number[] {
  return shape.map((dimension) => (typeof dimension === 'number' ? dimension : 1));
}

/** @throws JobError `user`: a constant for no input, for a picture's, or with values that the input does not hold. */
export function checkConstants(
  { constants = {} }: PartialCard,
  inputs: TensorSignature[],
  pictures: (TensorSignature | undefined)[],
): void {
  for (const [name, values] of Object.entries(constants)) {
    const tensor = find(inputs, name, 'input');
    if (tensor === undefined) continue;
    if (pictures.includes(tensor))
      throw new JobError('user', `The model card gives the input "${name}" a constant and a picture: choose one.`);
    checkValues(tensor, values);
  }
}

function checkValues(tensor: TensorSignature, values: number[]): void {
  const { type } = tensor;
  if (!isConstantType(type)) {
    const types = Object.keys(CONSTANT_TYPES).join(', ');
    throw new JobError(
      'user',
      `The model's input ${describeTensor(tensor)} can have no constant: export it with one of ${types}.`,
    );
  }
  const most = constantShape(tensor).reduce((product, side) => product * side, 1);
  if (values.length > most)
    throw new JobError(
      'user',
      `The model card gives the input ${describeTensor(tensor)} ${values.length} constants, but it holds ${most}.`,
    );
  const range = CONSTANT_TYPES[type];
  const wrong = range && values.find((value) => !Number.isInteger(value) || value < range[0] || value > range[1]);
  if (range && wrong !== undefined)
    throw new JobError(
      'user',
      `The model card gives the input ${describeTensor(tensor)} the constant ${wrong}, but it holds whole numbers from ${range.join(' to ')}.`,
    );
}
