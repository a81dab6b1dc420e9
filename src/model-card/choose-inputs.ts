import { JobError } from '../job/failure.js';
import type { PartialCard } from './schema.js';
import {
  describeTensor,
  describeTensors,
  findTensor,
  imageLayout,
  type ModelSignature,
  type TensorSignature,
} from './signature.js';

interface ChosenInputs {
  input: TensorSignature;
  style: TensorSignature | undefined;
}

/**
 * Which input takes the frame and which, if any, the style picture: the ones that the card names, else the ones that look like
 * pictures; among several, the one whose name contains `style` takes the style. Every other input needs a constant.
 * @throws JobError `user`: the model leaves it open, or an input gets nothing, or a constant does not go with its input.
 */
export function chooseInputs(partial: PartialCard, { inputs }: ModelSignature): ChosenInputs {
  const named = {
    input: findTensor(inputs, partial.input?.name, 'input'),
    style: findTensor(inputs, partial.style?.name, 'input'),
  };
  const open = inputs.filter(
    (tensor) =>
      takesPicture(tensor, inputs) &&
      tensor !== named.input &&
      tensor !== named.style &&
      partial.constants?.[tensor.name] === undefined,
  );
  const severalPictures = open.length > (named.input === undefined ? 1 : 0);
  const style = named.style ?? (severalPictures ? open.find((tensor) => /style/i.test(tensor.name)) : undefined);
  const frames = open.filter((tensor) => tensor !== style);
  const input = named.input ?? (frames.length === 1 ? frames[0] : undefined);
  if (input === undefined) throw noInput(frames, inputs);
  if (input === style)
    throw new JobError('user', `The model card uses the input "${input.name}" for both frame and style.`);
  const empty = [input, style].find((tensor) => tensor?.shape.includes(0));
  if (empty !== undefined) {
    throw new JobError(
      'user',
      `The model's input ${describeTensor(empty)} has a dimension of 0, and so takes no picture: export the model with that dimension left open.`,
    );
  }
  if (partial.style && style === undefined) {
    throw new JobError(
      'user',
      `The model card describes a style input, but the model has only ${describeTensors([input])}: leave "style" out.`,
    );
  }
  checkConstants(partial, inputs, [input, style]);
  const other = inputs.find(
    (tensor) => tensor !== input && tensor !== style && partial.constants?.[tensor.name] === undefined,
  );
  if (other !== undefined) {
    const frame = isPicture(other) ? ' Models that take two frames of a video at once do not run yet.' : '';
    throw new JobError(
      'user',
      `The model also needs a value for its input ${describeTensor(other)}: give it under "constants" in the model card, or name it as "style.name" if it takes the style picture.${frame}`,
    );
  }
  return { input, style };
}

/** An older model may list its weights among its inputs, so one channel makes a picture only where no input has three. */
function takesPicture(tensor: TensorSignature, inputs: TensorSignature[]): boolean {
  return inputs.some(isPicture) ? isPicture(tensor) : imageLayout(tensor, 1) !== undefined;
}

function noInput(frames: TensorSignature[], inputs: TensorSignature[]): JobError {
  if (frames.length > 1) {
    return new JobError(
      'user',
      `The model has several picture inputs (${describeTensors(frames)}). Models that take two frames of a video at once, for example to make those in between, do not run yet; if one of the inputs is for a style picture, name them as "input.name" and "style.name" in the model card.`,
    );
  }
  const several = inputs.find(takesMore);
  const unbatched = inputs.find(({ shape }) => shape.length === 3 && (shape[0] === 3 || shape[2] === 3));
  if (several !== undefined) {
    return new JobError(
      'user',
      `The model's input ${describeTensor(several)} takes more than the three colours of one picture: models that take several frames at once, or a picture with something else, do not run yet.`,
    );
  }
  if (unbatched !== undefined) {
    return new JobError(
      'user',
      `The model's input ${describeTensor(unbatched)} takes one picture without a dimension for the batch, which does not run yet: export the model with an input of four dimensions.`,
    );
  }
  return new JobError(
    'user',
    `The model has no input for a picture of three colours but ${describeTensors(inputs)}: use an image model, or name the input as "input.name" in the model card.`,
  );
}

/** Several pictures, or one with further channels, as the number that its shape fixes shows. */
export function takesMore({ shape }: TensorSignature): boolean {
  if (shape.length === 5) return true;
  const channels = [shape[1], shape[3]].filter((side) => typeof side === 'number');
  return shape.length === 4 && channels.some((count) => count > 1 && count <= MOST_CHANNELS && count !== 3);
}

/** Larger numbers are sides of pictures. */
const MOST_CHANNELS = 24;

function isPicture(tensor: TensorSignature): boolean {
  return imageLayout(tensor) !== undefined;
}

/** ONNX element types that constants can have, with the range of whole numbers that each holds; undefined: any number. */
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

/** @throws JobError `user`: a constant is for no input or for a picture's, or has values that the input cannot hold. */
function checkConstants(
  { constants = {} }: PartialCard,
  inputs: TensorSignature[],
  pictures: (TensorSignature | undefined)[],
): void {
  for (const [name, values] of Object.entries(constants)) {
    const tensor = findTensor(inputs, name, 'input');
    if (tensor === undefined) continue;
    if (pictures.includes(tensor))
      throw new JobError('user', `The model card gives the input "${name}" both a constant and a picture: choose one.`);
    checkValues(tensor, values);
  }
}

function checkValues(tensor: TensorSignature, values: number[]): void {
  const { type } = tensor;
  if (!isConstantType(type)) {
    const types = Object.keys(CONSTANT_TYPES).join(', ');
    throw new JobError(
      'user',
      `The model's input ${describeTensor(tensor)} cannot have a constant: export it as one of ${types}.`,
    );
  }
  const most = constantShape(tensor).reduce((product, side) => product * side, 1);
  if (values.length > most)
    throw new JobError(
      'user',
      `The model card gives the input ${describeTensor(tensor)} ${values.length} constants, but it holds ${most}: leave some out.`,
    );
  const range = CONSTANT_TYPES[type];
  const wrong = range && values.find((value) => !Number.isInteger(value) || value < range[0] || value > range[1]);
  if (range && wrong !== undefined)
    throw new JobError(
      'user',
      `The model card gives the input ${describeTensor(tensor)} the constant ${wrong}, but it holds whole numbers from ${range.join(' to ')}: correct "constants".`,
    );
}
