import type { ImageInput, ImageOutput, ModelCard, PartialCard, PartialInput } from './card-schema.js';
import { validateCard } from './card-schema.js';
import { checkCrop } from './check-crop.js';
import { chooseInputs, chooseOutput } from './choose-tensors.js';
import { completeDetections } from './complete-detections.js';
import { colours, completeImage, type ImageDefaults } from './complete-image.js';
import { completeMask } from './complete-mask.js';
import { completeSize } from './complete-size.js';
import { JobError } from '../job/failure.js';
import { find, list } from './find-tensor.js';
import { checkLabels, chooseLabels, countClasses } from './labels.js';
import type { ModelSignature, TensorSignature } from './model-signature.js';
import { describeTensor, imageSize, isRead } from './model-signature.js';
import { NPY_TYPES } from './npy-types.js';

/** Longest side of a style picture whose card and model set no size: enough for brush strokes, cheap in every frame. */
const STYLE_LONGEST_SIDE = 512;
const BEST_CLASSES = 5;

/**
 * Fills in what a card leaves out, from the model's own signature, and checks the rest against it.
 * A complete card goes through unchanged, so this also checks one against the model it is used with.
 * @param card what the `.json` file beside the model holds; `{}` when there is none.
 * @param labelFile the labels in the file that is stored with the model, if there is one.
 * @throws JobError `user`: the card is no card, it contradicts the model, or the model leaves open what the card must say.
 */
export function completeCard(card: unknown, model: ModelSignature, labelFile?: string[]): ModelCard {
  const partial = validateCard(card);
  const chosen = chooseInputs(partial, model);
  const input = completeInput(partial.input ?? {}, chosen.input, { channels: 'RGB', range: [0, 255] }, null);
  const style = chosen.style && completeInput(partial.style ?? {}, chosen.style, input, STYLE_LONGEST_SIDE);
  const { description = '', constants } = partial;
  const batch = completeBatch(partial.batch, chosen.input);
  const output = completeOutput(partial, model, input, labelFile);
  checkTiles(input, style, output);
  return {
    description,
    input,
    style: style ?? null,
    ...(constants && { constants }),
    ...(batch !== undefined && { batch }),
    output,
  };
}

/** @throws JobError `user`: the card asks for another number of frames at a time than the model takes. */
function completeBatch(batch: number | undefined, tensor: TensorSignature): number | undefined {
  const [own] = tensor.shape;
  if (typeof own !== 'number' || tensor.shape.length !== 4) return batch;
  if (batch !== undefined && batch !== own)
    throw new JobError(
      'user',
      `The model card says a "batch" of ${batch}, but the model says ${describeTensor(tensor)}: leave "batch" out.`,
    );
  return own === 1 ? undefined : own;
}

/** @throws JobError `user`: tiles where they cannot be put together. */
function checkTiles(input: ImageInput, style: ImageInput | undefined, output: ModelCard['output']): void {
  if (style?.size.tiles)
    throw new JobError('user', 'The model card cuts the style picture into tiles: only "input" can have "size.tiles".');
  if (!input.size.tiles || ('fit' in output && output.fit === 'crop')) return;
  throw new JobError(
    'user',
    'The model card has "size.tiles", which go with pictures and masks that keep their size or grow by "output.scale" only: leave the tiles out.',
  );
}

function completeInput(
  card: PartialInput,
  tensor: TensorSignature,
  defaults: ImageDefaults,
  longestSide: number | null,
): ImageInput {
  const image = completeImage(card, tensor, defaults, undefined);
  return { ...image, size: completeSize(card.size ?? {}, tensor, image.layout, longestSide) };
}

function completeOutput(
  partial: PartialCard,
  model: ModelSignature,
  input: ImageInput,
  labelFile: string[] | undefined,
): ModelCard['output'] {
  const { output = {} } = partial;
  switch (output.kind) {
    case undefined:
    case 'image':
      return completePicture(output, chooseOutput(partial, model, colours(input)), input);
    case 'classes': {
      const { top = BEST_CLASSES, softmax = false } = output;
      const tensor = readable(anyOutput(model, output.name));
      const labels = chooseLabels(output.labels, labelFile);
      checkLabels(labels, countClasses(tensor));
      return { kind: 'classes', name: tensor.name, top, softmax, labels };
    }
    case 'detections':
      return completeDetections(output, model, labelFile);
    case 'mask':
      return completeMask(output, anyOutput(model, output.name), input);
    case 'tensor':
      break;
  }
  return { kind: 'tensor', name: storable(anyOutput(model, output.name)).name };
}

function completePicture(card: Partial<ImageOutput>, tensor: TensorSignature, input: ImageInput): ImageOutput {
  const image = completeImage(card, tensor, input, input.layout);
  const size = imageSize(tensor, image.layout);
  const [inputWidth, inputHeight] = input.size.fixed ?? [];
  const { kind, scale } = card;
  const scales = [size.width, size.height, inputWidth, inputHeight].every((side) => side !== undefined)
    ? size.width !== inputWidth || size.height !== inputHeight
    : false;
  const fit = card.fit ?? (scales && scale === undefined ? 'resize' : 'crop');
  if (fit === 'crop') checkCrop(tensor, size, input, scale);
  return { ...(kind && { kind }), ...image, fit, ...(scale && { scale }) };
}

/** The output that the card names, or the model's only one. */
function anyOutput(model: ModelSignature, name: string | undefined): TensorSignature {
  const [first, ...others] = model.outputs;
  const chosen = find(model.outputs, name, 'output') ?? (others.length === 0 ? first : undefined);
  if (chosen !== undefined) return chosen;
  throw new JobError('user', `The model gives ${list(model.outputs)}: name one as "output.name" in the model card.`);
}

function readable(tensor: TensorSignature): TensorSignature {
  if (isRead(tensor)) return tensor;
  throw unread(tensor);
}

function storable(tensor: TensorSignature): TensorSignature {
  if (Object.hasOwn(NPY_TYPES, tensor.type)) return tensor;
  throw unread(tensor);
}

function unread(tensor: TensorSignature): JobError {
  return new JobError(
    'user',
    `The model's ${describeTensor(tensor)} is of a type that is not read: export it as float32.`,
  );
}
