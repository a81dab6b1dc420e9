import { JobError } from '../job/failure.js';
import { find, list } from './find-tensor.js';
import type { PartialCard } from './card-schema.js';
import { checkConstants } from './constants.js';
import type { ModelSignature, TensorSignature } from './model-signature.js';
import { describeTensor, imageLayout } from './model-signature.js';

interface ChosenInputs {
  input: TensorSignature;
  style: TensorSignature | undefined;
}

/**
 * Which input takes the frame and which, if any, the style picture: those the card names, else by their shapes; of several
 * picture inputs, the one called something like `style` is the style.
 * @throws JobError `user`: the model leaves it open, or has inputs that are neither.
 */
export function chooseInputs(partial: PartialCard, { inputs }: ModelSignature): ChosenInputs {
  const named = {
    input: find(inputs, partial.input?.name, 'input'),
    style: find(inputs, partial.style?.name, 'input'),
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
  if (partial.style && style === undefined) {
    throw new JobError(
      'user',
      `The model card describes a style input, but the model has only ${list([input])}: leave "style" out.`,
    );
  }
  checkConstants(partial, inputs, [input, style]);
  const other = inputs.find(
    (tensor) => tensor !== input && tensor !== style && partial.constants?.[tensor.name] === undefined,
  );
  if (other !== undefined) {
    throw new JobError(
      'user',
      `The model also needs a value for its input ${describeTensor(other)}: give it under "constants" in the model card, or name it as "style.name" if it takes the style picture.`,
    );
  }
  return { input, style };
}

/** The inputs of an older model may list its weights; three channels make a picture more surely than one. */
function takesPicture(tensor: TensorSignature, inputs: TensorSignature[]): boolean {
  return inputs.some(isPicture) ? isPicture(tensor) : imageLayout(tensor, 1) !== undefined;
}

/** @throws JobError `user`: no output looks like a picture, or several do and the card names none. */
export function chooseOutput(partial: PartialCard, { outputs }: ModelSignature, channels: 1 | 3): TensorSignature {
  const named = find(outputs, partial.output?.name, 'output');
  if (named !== undefined) return named;
  const pictures = outputs.filter((tensor) => imageLayout(tensor, channels) !== undefined);
  const [only] = pictures.length > 0 ? pictures : outputs.filter(({ shape }) => shape.length === 0 || isOpen(shape));
  if (only === undefined) {
    throw new JobError(
      'user',
      `The model gives no picture of three colours but ${list(outputs)}: say with "output.kind" in the model card what it gives.`,
    );
  }
  if (pictures.length > 1) {
    throw new JobError(
      'user',
      `The model gives several pictures (${list(pictures)}): name one as "output.name" in the model card.`,
    );
  }
  return only;
}

function noInput(frames: TensorSignature[], inputs: TensorSignature[]): JobError {
  if (frames.length > 1) {
    return new JobError(
      'user',
      `The model has several picture inputs (${list(frames)}): name them as "input.name" and "style.name" in the model card.`,
    );
  }
  return new JobError(
    'user',
    `The model has no input for a picture of three colours but ${list(inputs)}: use an image model, or name the input as "input.name" in the model card.`,
  );
}

function isPicture(tensor: TensorSignature): boolean {
  return imageLayout(tensor) !== undefined;
}

/** Four dimensions and none of them fixed: perhaps a picture. */
function isOpen(shape: TensorSignature['shape']): boolean {
  return shape.length === 4 && shape.every((dimension) => typeof dimension === 'string');
}
